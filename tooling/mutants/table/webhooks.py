"""Webhooks out: to whom, by whom, how often, and by what a receiver knows that they are ours."""

from tooling.mutants.patch import Mutant, Patch, remove

_SENDING = "notifications/webhooks/sending.py"
_TALK = "notifications/webhooks/conversation.py"
_DELIVERY = "notifications/tests/test_webhook_delivery.py"
_SIGNED = "notifications/tests/test_webhook_signatures.py"

MUTANTS = [
    remove(
        "webhooks-lease",
        "one worker at a time is at an endpoint",
        _SENDING,
        "        taken = rows.filter(free, disabled_at=None).update(",
        "        taken = rows.filter(disabled_at=None).update(",
        f"{_DELIVERY}::test_two_workers_at_once_send_a_delivery_once",
    ),
    # The time of the next attempt, which every claim sets, covers for the attempt's number.
    remove(
        "webhooks-claim",
        "one worker makes an attempt (where the lease has run out)",
        _SENDING,
        "                _due(endpoint)\n"
        "                .filter(pk=delivery.pk, attempts=delivery.attempts)\n",
        "                WebhookDelivery.objects.using(DATABASE)\n"
        "                .filter(pk=delivery.pk)\n",
        f"{_DELIVERY}::test_without_the_lease_the_claim_of_each_delivery_holds",
    ),
    remove(
        "webhooks-claim-sets-a-time",
        "a worker that dies leaves a time for the next",
        _SENDING,
        ".update(attempts=delivery.attempts + 1, next_attempt_at=Now() + _LEASE)",
        ".update(attempts=delivery.attempts + 1)",
        f"{_DELIVERY}::test_without_the_lease_the_claim_of_each_delivery_holds",
    ),
    # Whoever finds a delivery without attempts left gives it up too.
    Mutant(
        name="webhooks-end",
        guard="attempts have an end",
        changes=[
            Patch(
                _SENDING,
                "    if delivery.attempts >= ATTEMPTS:\n"
                "        _give_up(delivery, answer.error)\n    else:\n",
                "    if answer.error:\n",
            ),
            Patch(
                _SENDING,
                "        if delivery.attempts >= ATTEMPTS:\n"
                '            _give_up(delivery, "attempt-lost")\n            continue\n',
                "",
            ),
        ],
        tests=[f"{_DELIVERY}::test_after_its_last_attempt_a_delivery_is_given_up"],
    ),
    remove(
        "webhooks-sick-endpoint",
        "an endpoint that fails gets one attempt a turn",
        _SENDING,
        "        while is_well and time.monotonic() < until:\n",
        "        while time.monotonic() < until:\n",
        f"{_DELIVERY}::test_a_sick_endpoint_gets_one_attempt_a_turn",
    ),
    remove(
        "webhooks-own-network",
        "nothing is sent to our own network",
        "notifications/webhooks/guard.py",
        "if not settings.WEBHOOK_ALLOW_PRIVATE and not all(map(is_public, addresses)):",
        "if not addresses:",
        "notifications/tests/test_webhook_guard.py"
        "::test_in_production_nothing_is_sent_to_our_own_network",
    ),
    remove(
        "webhooks-redirect",
        "no redirect is followed",
        _TALK,
        "follow_redirects=False",
        "follow_redirects=True",
        f"{_DELIVERY}::test_no_answer_but_a_success_is_one_and_no_redirect_is_followed",
    ),
    remove(
        "webhooks-certificate",
        "the certificate is one that somebody vouches for",
        _TALK,
        "verify=_trusted()",
        "verify=False",
        "notifications/tests/test_webhook_tls.py"
        "::test_a_certificate_that_nobody_vouches_for_gets_nothing",
    ),
    remove(
        "webhooks-certificate-name",
        "the certificate is the name's",
        _TALK,
        'extensions={"sni_hostname": host}',
        'extensions={"sni_hostname": "localhost"}',
        "notifications/tests/test_webhook_tls.py::test_a_certificate_of_another_name_gets_nothing",
    ),
    remove(
        "webhooks-timeout",
        "a receiver that is silent is given up",
        _TALK,
        "httpx.Timeout(settings.WEBHOOK_TIMEOUT, connect",
        "httpx.Timeout(60.0, connect",
        f"{_DELIVERY}::test_a_receiver_that_is_silent_is_a_failure_in_time",
    ),
    remove(
        "webhooks-signature",
        "the signature is over the id, the time and the bytes",
        "notifications/webhooks/signing.py",
        'signed = b".".join([message_id.encode(), str(timestamp).encode(), body])',
        'signed = b".".join([message_id.encode(), body])',
        f"{_SIGNED}::test_its_signature_is_what_the_standard_says",
    ),
    remove(
        "webhooks-secret-overlap",
        "the secret before a new one signs for a day, and no longer",
        "notifications/webhooks/steering.py",
        "        pk=endpoint.pk, previous_until__gt=Now()\n",
        "        pk=endpoint.pk\n",
        f"{_SIGNED}::test_a_new_secret_and_the_one_before_both_sign_for_a_day",
    ),
    remove(
        "webhooks-secret-once",
        "a secret is shown once",
        "notifications/webhooks/steering.py",
        "rows.filter(secret_shown_at=None).update(secret_shown_at=Now())",
        "rows.update(secret_shown_at=Now())",
        f"{_SIGNED}::test_a_secret_is_shown_once",
    ),
    remove(
        "webhooks-secret-key",
        "the database alone does not give a secret away",
        "notifications/webhooks/signing.py",
        "hmac.new(settings.WEBHOOK_KEY.encode(), seed.encode(), hashlib.sha256)",
        'hmac.new(b"key", seed.encode(), hashlib.sha256)',
        f"{_SIGNED}::test_the_database_alone_does_not_give_a_secret_away",
    ),
]
