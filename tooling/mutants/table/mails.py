"""Mails: one row, one sender at a time, one Message-ID, and none for what was undone."""

from tooling.mutants.patch import remove

_SERVICES = "notifications/services.py"
_ONCE = "notifications/tests/test_sent_once.py"

MUTANTS = [
    remove(
        "mail-claim",
        "one sender at a time is at work on a mail",
        _SERVICES,
        "free = rows.filter(_IS_FREE, attempts=message.attempts)",
        "free = rows",
        f"{_ONCE}::test_two_callers_at_once_send_one_mail",
    ),
    remove(
        "mail-written-claimed",
        "a mail is claimed by whoever writes it",
        _SERVICES,
        "statement_timestamp() + %(claimed_for)s",
        "NULL",
        f"{_ONCE}::test_two_callers_at_once_send_one_mail",
    ),
    remove(
        "mail-written-late",
        "a confirmation that was cancelled is not even written",
        _SERVICES,
        "WHERE NOT EXISTS (\n",
        "WHERE TRUE OR EXISTS (\n",
        f"{_ONCE}::test_a_confirmation_cancelled_before_it_was_asked_for_is_never_sent",
    ),
    remove(
        "mail-claim-runs-out",
        "the claim of a sender that died runs out",
        _SERVICES,
        "(Q(claimed_until=None) | Q(claimed_until__lte=Now()))",
        "Q(claimed_until=None)",
        f"{_ONCE}::test_the_claim_of_a_sender_that_died_runs_out",
    ),
    remove(
        "mail-claim-is-mine",
        "a sender frees its own claim only",
        _SERVICES,
        "        pk=message.pk, attempts=message.attempts, status=Status.PENDING\n",
        "        pk=message.pk, status=Status.PENDING\n",
        f"{_ONCE}::test_a_sender_whose_claim_ran_out_does_not_free_the_claim_of_the_next",
    ),
    remove(
        "mail-receipt",
        "a mail that was sent is not sent again",
        _SERVICES,
        "    elif (settled := _settled(kind, saga_id)) is not None:\n",
        "    elif (settled := _settled(kind, saga_id)) is None and settled:\n",
        f"{_ONCE}::test_a_repeated_confirmation_returns_the_first_result_and_sends_nothing",
    ),
    remove(
        "mail-tombstone",
        "a confirmation that was cancelled is never sent",
        _SERVICES,
        "    if receipt.undone_at is not None:\n        raise AlreadyCompensated",
        "    if False:\n        raise AlreadyCompensated",
        f"{_ONCE}::test_a_confirmation_cancelled_before_it_was_asked_for_is_never_sent",
    ),
    remove(
        "mail-row-first",
        "the mail is committed before it is sent",
        _SERVICES,
        '"notifications.write_message", using=DATABASE, durable=True',
        '"notifications.write_message", using=DATABASE',
        f"{_ONCE}::test_the_mail_is_committed_before_it_is_sent",
    ),
    remove(
        "mail-message-id",
        "every attempt has the same Message-ID",
        "notifications/delivery.py",
        '"Message-ID": self.message_id, ',
        "",
        f"{_ONCE}::test_a_mail_that_failed_is_sent_again_with_the_same_message_id",
    ),
    remove(
        "mail-apology-forbids",
        "an apology forbids the confirmation",
        _SERVICES,
        "    cancel_confirmation(saga_id=saga_id)\n    return _send_once(",
        "    return _send_once(",
        f"{_ONCE}::test_an_apology_forbids_the_confirmation_that_was_not_sent",
    ),
    remove(
        "mail-on-its-way",
        "a confirmation on its way is not cancelled",
        _SERVICES,
        "    if not Message.objects.using(DATABASE).filter(_IS_FREE, pk=message.pk).exists():\n",
        "    if False:\n",
        f"{_ONCE}::test_a_confirmation_on_its_way_cannot_be_cancelled_until_it_is_settled",
    ),
    remove(
        "mail-no-is-no",
        "a 5xx about the mail is a refusal",
        "notifications/delivery.py",
        "        return MailRefused(words)\n",
        "        return MailUnavailable(words)\n",
        "notifications/tests/test_smtp_replies.py::test_a_5xx_reply_to_the_mail_is_a_refusal",
    ),
    remove(
        "mail-timeout",
        "a mail server that hangs is given up",
        "notifications/delivery.py",
        "    connection = get_connection()\n",
        "    connection = get_connection(timeout=60)\n",
        "notifications/tests/test_smtp_replies.py"
        "::test_a_server_that_hangs_is_given_up_after_the_time_out",
    ),
    remove(
        "mail-no-address-in-errors",
        "an error never quotes the address",
        "notifications/delivery.py",
        "raise _meaning_of(error) from None",
        "raise _meaning_of(error) from error",
        "notifications/tests/test_smtp_replies.py"
        "::test_a_5xx_reply_to_the_recipient_is_a_refusal_without_the_address",
    ),
]
