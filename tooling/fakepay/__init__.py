"""The one fake payment provider: a process of its own, with a ledger of its own.

It speaks Stripe's HTTP shapes as far as Makegood needs them, so that Stripe's own SDK makes the
calls: form-encoded bodies, PaymentIntents with automatic and manual capture under an enforced
state machine, refunds, disputes, lists and searches, idempotency keys whose first answer is
stored and replayed for a day, error objects, 3-D Secure, and signed webhooks.

    python -m tooling.fakepay --port 8790 --journal FILE [--webhook-url URL --webhook-secret SECRET]

Its journal is an append-only file of JSON lines, synced line by line and replayed at the
start; it holds every request that arrived and every capture and refund. ``GET /v1/ledger``
tells it all. What tests provoke is under ``/v1/test_helpers`` (``tooling.fakepay.provoke``):

    advance                               all waiting times pass; seconds=86400 ages the keys too
    rate_limit                            the next requests are turned away, with Retry-After
    payment_intents/ID/authenticate       the shopper's 3-D Secure: outcome=success or failure
    payment_intents/ID/dispute            the shopper's bank wants the money back
    disputes/ID/close                     status=won or lost
    refunds/ID/fail                       the bank takes a refund back
    webhooks                              url, secret, copies, delay, hold, before_reply
    webhooks/release                      what was held is delivered; order=reversed

A refund without a key is what somebody makes in the provider's dashboard. ``/3ds/ID`` is the page
of the shopper's bank. What happens to a payment is chosen by its test token, N being seconds
(``tooling.fakepay.tokens.TOKENS``):

    tok_success                     captured at once
    tok_declined                    402, decline code generic_decline
    tok_insufficient_funds          402, decline code insufficient_funds
    tok_requires_action             the shopper authenticates; then captured
    tok_requires_action_declined    the shopper authenticates; then declined
    tok_requires_action_reply_lost  the shopper authenticates, and nobody tells us
    tok_reply_lost                  captured, the answer is lost once
    tok_500_before                  500 before the capture, once
    tok_500_always                  500 before the capture, every time
    tok_500_after                   captured, then 500
    tok_slow_N                      captured after N, answered then
    tok_late_success_N              answers processing, captured N later
    tok_late_decline_N              answers processing, declined N later
    tok_success_after_cancel_N      each confirm 500; captured N after an accepted cancel
    tok_success_after_decline_N     declined; captured N after an accepted cancel
    tok_capture_500_once            authorised; the first capture is a 500 and does nothing
    tok_capture_500_after           authorised; the first capture is made and answered by a 500
    tok_capture_reply_lost          authorised; the first capture is made, its answer is lost
    tok_capture_refused             authorised; expired when it is captured
    tok_cancel_500_once             each confirm 500; the first cancel is a 500 and does nothing
    tok_cancel_reply_lost           each confirm 500; cancelled, the answer is lost
    tok_refund_500_once             the first refund is a 500 and does nothing
    tok_refund_500_after            the first refund is made and answered by a 500
    tok_refund_reply_lost           the first refund is made, its answer is lost
    tok_refund_refused              every refund is refused
    tok_refund_refused_once         the first refund is refused, the next gets through
    tok_refund_late_N               a refund is pending, and through N later
    tok_refund_fails_N              a refund is pending, and fails N later
"""
