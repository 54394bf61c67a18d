"""The one fake payment provider: a process of its own, with a ledger of its own.

It keeps the contract of Stripe's PaymentIntents as far as Makegood needs it: intents that
are created, confirmed and cancelled under an enforced state machine, refunds, idempotency
keys whose first answer is stored and replayed, and card errors. Bodies are JSON.

    python -m tooling.fakepay --port 8790 --journal FILE

Its journal is an append-only file of JSON lines, synced line by line and replayed at the
start; it holds every request that arrived and every capture and refund. ``GET /v1/ledger``
tells it all; ``POST /v1/test_helpers/advance`` lets all waiting times pass. What happens to a
payment is chosen by its test token, N being seconds (``tooling.fakepay.tokens.TOKENS``):

    tok_success                  captured at once
    tok_declined                 402, decline code generic_decline
    tok_insufficient_funds       402, decline code insufficient_funds
    tok_reply_lost               captured, the answer is lost once
    tok_500_before               500 before the capture, once
    tok_500_always               500 before the capture, every time
    tok_500_after                captured, then 500
    tok_slow_N                   captured after N, answered then
    tok_late_success_N           answers processing, captured N later
    tok_late_decline_N           answers processing, declined N later
    tok_success_after_cancel_N   each confirm 500; captured N after an accepted cancel
    tok_success_after_decline_N  declined; captured N after an accepted cancel
    tok_refund_500_once          the first refund is a 500 and does nothing
    tok_refund_500_after         the first refund is made and answered by a 500
    tok_refund_reply_lost        the first refund is made, its answer is lost
    tok_refund_refused           every refund is refused
    tok_refund_refused_once      the first refund is refused, the next gets through
    tok_refund_late_N            a refund is pending, and through N later
    tok_refund_fails_N           a refund is pending, and fails N later
"""
