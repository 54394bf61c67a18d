"""The checkout's invariants: what its sagas claim, beside what four domains and a ledger hold."""
