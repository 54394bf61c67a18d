"""What a domain needs to take part in a saga: receipts, and nothing else of the engine."""
