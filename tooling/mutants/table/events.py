"""Events: told in the transaction, relayed in order, heard once; and the notices they cause."""

from tooling.mutants.patch import Lacks, Mutant, Patch, remove

_OUTBOX, _RELAY, _INBOX = (
    "sagas/events/outbox.py",
    "sagas/events/relay.py",
    "sagas/events/inbox.py",
)
_HINTS, _TASKS = "sagas/events/broker.py", "sagas/events/tasks.py"
_NOTICES = "notifications/notices.py"
_TOLD, _RELAYED = "orders/tests/test_outbox.py", "orders/tests/test_relay.py"
_HINTED = "orders/tests/test_hints.py"
_HEARD, _MAILED = "orders/tests/test_inbox.py", "notifications/tests/test_notices.py"

MUTANTS = [
    Mutant(
        name="events-in-the-transaction",
        guard="an event is written in the transaction of the change that it tells of",
        changes=[
            Patch(
                _OUTBOX,
                "    with connections[outbox.database].cursor() as cursor:\n",
                "    def write() -> None:\n"
                "        cursor = connections[outbox.database].cursor()\n",
            ),
            Patch(
                _OUTBOX,
                "    label = outbox._meta.label\n",
                "    transaction.on_commit(write, using=outbox.database)\n"
                "    label = outbox._meta.label\n",
            ),
        ],
        tests=[
            f"{_TOLD}::test_a_change_that_is_rolled_back_tells_nothing",
            f"{_TOLD}::test_a_change_whose_event_cannot_be_written_does_not_happen",
        ],
    ),
    remove(
        "events-need-a-transaction",
        "an event outside a transaction is refused",
        _OUTBOX,
        "    if not transaction.get_connection(outbox.database).in_atomic_block:\n",
        "    if False:\n",
        f"{_TOLD}::test_an_event_outside_a_transaction_is_refused",
    ),
    remove(
        "events-plain-payload",
        "an event carries ids, codes and amounts only",
        "sagas/events/facts.py",
        "        _refuse_unless_plain(self.payload, self.type)\n",
        "        pass\n",
        f"{_TOLD}::test_a_payload_with_personal_data_is_refused",
    ),
    remove(
        "events-relay-claim",
        "a relay claims what it is at work on",
        _RELAY,
        ".update(claimed_until=Now() + _LEASE)",
        ".update(claimed_until=None)",
        f"{_RELAYED}"
        "::test_a_relay_that_dies_between_publishing_and_marking_doubles_and_loses_nothing",
        f"{_RELAYED}::test_a_second_relay_does_not_overtake_the_first_on_one_aggregate",
    ),
    remove(
        "events-relay-claim-runs-out",
        "the claim of a relay that died runs out",
        _RELAY,
        "free = Q(claimed_until=None) | Q(claimed_until__lte=Now())",
        "free = Q(claimed_until=None)",
        f"{_RELAYED}"
        "::test_a_relay_that_dies_between_publishing_and_marking_doubles_and_loses_nothing",
    ),
    remove(
        "events-relay-in-order",
        "a relay leaves out aggregates that another is at work on",
        _RELAY,
        ".exclude(aggregate__in=set(busy))",
        "",
        f"{_RELAYED}::test_a_second_relay_does_not_overtake_the_first_on_one_aggregate",
    ),
    remove(
        "events-relay-lock",
        "relays claim one after the other, under an advisory lock",
        _RELAY,
        '            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))",'
        " [outbox._meta.db_table])\n",
        "            pass\n",
        f"{_RELAYED}::test_two_relays_that_claim_at_once_take_each_event_once",
    ),
    remove(
        "events-marked-when-published",
        "only what the broker took is marked as relayed",
        _RELAY,
        "    _mark(outbox, relayed)\n",
        "    _mark(outbox, [row.sequence for row in claimed])\n",
        f"{_RELAYED}::test_a_broker_that_is_away_leaves_the_rest_waiting_and_gets_it_later",
    ),
    remove(
        "events-lost-are-resent",
        "a message that the broker lost is sent again",
        _RELAY,
        "                send(some, consumer)\n",
        "",
        f"{_RELAYED}::test_a_message_that_the_broker_lost_is_noticed_and_sent_again",
    ),
    Mutant(
        name="events-heard-once",
        guard="the unique key of event and consumer: a doubled event finds its row",
        changes=[
            Lacks("orders", "orders_inbox_once"),
            Lacks("notifications", "notifications_inbox_once"),
        ],
        tests=[
            f"{_RELAYED}::test_two_copies_at_once_have_one_effect",
            f"{_RELAYED}"
            "::test_a_relay_that_dies_between_publishing_and_marking_doubles_and_loses_nothing",
        ],
    ),
    remove(
        "events-first-copy-only",
        "a copy of an event that was heard before has no effect",
        _INBOX,
        "    return [entry for entry in mine.values() if entry.pk in first]\n",
        "    return list(rows.filter(consumer=name, event_id__in=list(mine)))\n",
        f"{_RELAYED}::test_two_copies_at_once_have_one_effect",
        f"{_HEARD}::test_a_copy_of_a_failed_event_does_not_jump_its_back_off",
    ),
    remove(
        "events-killer-is-only-kept",
        "an event whose worker did not come back is kept, and its attempts are counted first",
        _INBOX,
        "        if entries and not is_again:\n",
        "        if entries:\n",
        f"{_HEARD}::test_an_event_that_kills_its_worker_each_time_is_given_up_at_last",
    ),
    remove(
        "events-killer-is-given-up",
        "an event that kills its worker each time is given up",
        _INBOX,
        "        if any(entry.attempts > settings.EVENT_ATTEMPTS for entry in entries):\n",
        "        if False:\n",
        f"{_HEARD}::test_an_event_that_kills_its_worker_each_time_is_given_up_at_last",
    ),
    remove(
        "events-savepoint",
        "a consumer that fails leaves no half effect",
        _INBOX,
        "        with transaction.atomic(using=using):\n",
        "        if part:\n",
        f"{_HEARD}::test_a_failing_consumer_leaves_no_half_effect_and_holds_up_no_other",
    ),
    remove(
        "events-given-up",
        "an event that always fails is given up with an alert",
        _INBOX,
        "    if entry.attempts >= settings.EVENT_ATTEMPTS:\n",
        "    if False:\n",
        f"{_HEARD}::test_after_its_last_attempt_it_is_given_up_with_an_alert",
    ),
    # The time of the next attempt, which every claim sets, covers for the attempt's number.
    remove(
        "events-notice-claim",
        "one sender at a time is at work on a notice",
        _NOTICES,
        "            claimed = due.filter(pk=notice.pk, attempts=notice.attempts).update(\n",
        "            claimed = rows.filter(pk=notice.pk).update(\n",
        f"{_MAILED}::test_many_senders_at_once_send_each_mail_once",
    ),
    Mutant(
        name="events-notice-sent-once",
        guard="a notice that was sent is not made due again (the database covers for it)",
        changes=[
            Patch(
                _NOTICES,
                "topic=Topic.BACK_IN_STOCK, status=NoticeStatus.WAITING,"
                ' sku=event.payload["sku"]\n',
                'topic=Topic.BACK_IN_STOCK, sku=event.payload["sku"]\n',
            ),
            Lacks("notifications", "notifications_notice_sent_means_sent"),
        ],
        tests=[f"{_MAILED}::test_a_doubled_event_sends_no_second_mail"],
    ),
    remove(
        "events-one-hint-a-slot",
        "a process asks once in a slot for a look at an outbox",
        _HINTS,
        "_no_hint_before[outbox] = now + due - told_at",
        "_no_hint_before[outbox] = now",
        f"{_HINTED}::test_a_slot_has_one_hint_of_a_process_and_the_next_slot_another",
    ),
    remove(
        "events-the-look-waits",
        "the relay looks when the slot ends: what is told in it has no hint of its own",
        _TASKS,
        "    time.sleep(min(max(0.0, due - time.time()), broker.SLOT))\n",
        "",
        f"{_HINTED}::test_a_look_waits_for_what_is_told_without_a_hint",
    ),
    remove(
        "events-one-look-a-slot",
        "one look does for all hints of its slot",
        _TASKS,
        "    if due <= _looked_at.get(outbox, 0.0):\n",
        "    if False:\n",
        f"{_HINTED}::test_one_look_does_for_all_hints_of_its_slot",
    ),
    remove(
        "events-unsubscribe-link",
        "only a link of ours takes an address off",
        _NOTICES,
        "UUID(hex=signing.Signer(salt=_SALT).unsign(token))",
        'UUID(hex=token.partition(":")[0])',
        f"{_MAILED}::test_a_link_that_is_not_ours_is_not_known",
    ),
]
