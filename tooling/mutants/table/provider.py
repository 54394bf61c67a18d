"""Stripe, its webhooks, steps that wait for the shopper, and card numbers."""

from tooling.mutants.patch import remove

_GATEWAY, _EVENTS = "payments/gateways/stripe.py", "payments/events.py"
_SIGNATURES = "payments/tests/test_webhook_signatures.py"
_WEBHOOKS = "sagas/checkout/tests/test_webhooks.py"
_WAITING = "sagas/tests/test_waiting.py"

MUTANTS = [
    remove(
        "provider-no-retries-of-the-sdk",
        "the SDK sends nothing twice by itself",
        _GATEWAY,
        "NETWORK_RETRIES = 0",
        "NETWORK_RETRIES = 2",
        "payments/tests/test_gateway_contract.py"
        "::test_the_api_version_is_pinned_and_no_request_is_sent_twice",
    ),
    remove(
        "provider-signature",
        "a webhook is the provider's, byte for byte",
        _GATEWAY,
        "        return bool(stripe.WebhookSignature.verify_header(",
        "        return bool(signed) or bool(stripe.WebhookSignature.verify_header(",
        f"{_SIGNATURES}::test_a_body_that_was_changed_by_one_byte_is_refused",
        f"{_WEBHOOKS}::test_what_is_not_signed_is_refused_and_nothing_is_kept",
    ),
    remove(
        "provider-signature-age",
        "an old signature is refused",
        _GATEWAY,
        "verify_header(body, signed, secret, TOLERANCE)",
        "verify_header(body, signed, secret)",
        f"{_SIGNATURES}::test_an_old_signature_is_refused",
    ),
    remove(
        "provider-live-and-test",
        "events of test mode do not touch real money",
        _GATEWAY,
        "if reading.is_live(body) != account.is_live:",
        "if False:",
        f"{_SIGNATURES}::test_real_money_and_test_events_do_not_mix",
    ),
    remove(
        "provider-event-claim",
        "one worker processes an event",
        _EVENTS,
        "taken = events.filter(pk=event_id, next_attempt_at__lte=Now())",
        "taken = events.filter(pk=event_id)",
        f"{_WEBHOOKS}::test_two_workers_on_one_event_process_it_once",
    ),
    remove(
        "provider-event-sends-no-money",
        "no event makes us send a refund again",
        _EVENTS,
        "            reversing.learn(payment, intent)",
        "            reversing.undo(payment, intent)",
        f"{_WEBHOOKS}::test_no_event_makes_us_send_a_refund_again",
    ),
    remove(
        "provider-late-event-is-refunded",
        "a charge that comes after its undo is refunded by its event",
        _EVENTS,
        "                late.check(payment.pk)",
        "                pass",
        f"{_WEBHOOKS}::test_a_charge_that_succeeds_after_its_undo_is_refunded_and_told",
    ),
    remove(
        "provider-another-amount",
        "another amount is told and never recorded",
        "payments/rows.py",
        "    if (intent.ref, intent.amount, intent.currency) != (",
        "    if not intent and (intent.ref, intent.amount, intent.currency) != (",
        f"{_WEBHOOKS}::test_another_amount_is_told_and_never_recorded",
    ),
    remove(
        "provider-secret-is-purged",
        "the client secret is gone once the payment has moved on",
        "payments/rows.py",
        "    if before == Status.REQUIRES_ACTION != payment.status:",
        "    if False:",
        "payments/tests/test_needs_action.py"
        "::test_once_the_shopper_has_acted_the_charge_is_found_and_the_secret_is_gone",
    ),
    remove(
        "provider-void-before-capture",
        "an authorisation is voided, so that nothing can be captured any more",
        "payments/reversing.py",
        "    IntentStatus.AUTHORISED,\n)",
        ")",
        "payments/tests/test_authorise_and_capture.py::test_an_undo_before_the_capture_voids",
    ),
    remove(
        "provider-wait-counts-nothing",
        "waiting for the shopper counts no attempt",
        "sagas/endings.py",
        "    saga.attempts -= 1\n",
        "",
        f"{_WAITING}::test_however_often_it_looks_no_attempt_is_counted_and_history_says_it_once",
    ),
    remove(
        "provider-resume-disturbs-nobody",
        "a webhook fences off no worker that is on the step",
        "sagas/operations.py",
        "if only_if_waiting and (saga.claimed_at or not saga.next_attempt_at):",
        "if False:",
        f"{_WAITING}::test_a_resume_disturbs_no_worker_and_no_message_under_way",
    ),
    remove(
        "provider-card-numbers",
        "a card number in any text is refused",
        "sagas/checkout/serializers.py",
        "        self.validators += [_no_controls, _no_card_number]",
        "        self.validators += [_no_controls]",
        "sagas/checkout/tests/test_card_numbers.py::test_it_is_refused_in_every_field",
    ),
]
