"""``using=``: transactions, hooks and queries that name their database; receipts and tombstones."""

from tooling.mutants.patch import Mutant, remove

_RECEIPTS = "sagas/participant/receipts.py"
_CRASH = "sagas/participant/crash.py"


def _unnamed(name: str, kind: str, file: str, old: str, new: str) -> Mutant:
    """The router or the default covers for it, so that a test reads the source."""
    test = "tests/test_every_database_is_named.py"
    return remove(
        f"using-{name}",
        f"{kind} names its database",
        file,
        old,
        new,
        f"{test}::test_every_transaction_hook_and_query_names_its_database[{file}]",
    )


MUTANTS = [
    remove(
        "using-transaction",
        "a domain's transaction is on the domain's own database",
        _CRASH,
        "transaction.atomic(using=using, durable=durable)",
        "transaction.atomic(durable=durable)",
        "orders/tests/test_create.py"
        "::test_without_a_draft_the_order_is_refused_and_nothing_is_kept",
        "inventory/tests/test_reserve.py::test_one_short_line_holds_nothing_at_all",
        "payments/tests/test_charge.py::test_a_charge_without_a_payment_method_leaves_nothing",
        "notifications/tests/test_sent_once.py"
        "::test_an_apology_forbids_the_confirmation_that_was_not_sent",
    ),
    remove(
        "using-durable",
        "no call goes out of an open transaction: what stands before it is durable",
        _CRASH,
        "transaction.atomic(using=using, durable=durable)",
        "transaction.atomic(using=using)",
        "payments/tests/test_constraints.py::test_no_call_goes_out_of_an_open_transaction",
        "notifications/tests/test_sent_once.py::test_the_mail_is_committed_before_it_is_sent",
    ),
    _unnamed(
        "on-commit",
        "a hook on a commit",
        "sagas/endings.py",
        "alerts.parked(saga), using=DATABASE)",
        "alerts.parked(saga))",
    ),
    _unnamed(
        "saga-query",
        "a query of sagas",
        "sagas/journal.py",
        "return Saga.objects.using(DATABASE).annotate(**_CLOCK)",
        "return Saga.objects.annotate(**_CLOCK)",
    ),
    _unnamed(
        "order-lock",
        "a row lock of orders",
        "orders/services.py",
        "Order.objects.using(DATABASE).select_for_update()",
        "Order.objects.select_for_update()",
    ),
    _unnamed(
        "order-save",
        "a save of orders",
        "orders/services.py",
        'order.save(update_fields=["status", "confirmed_at"], using=DATABASE)',
        'order.save(update_fields=["status", "confirmed_at"])',
    ),
    _unnamed(
        "stock-query",
        "a query of stock",
        "inventory/services.py",
        "stock = Stock.objects.using(DATABASE).in_bulk(",
        "stock = Stock.objects.in_bulk(",
    ),
    _unnamed(
        "stock-lock",
        "a row lock of reservations",
        "inventory/services.py",
        "Reservation.objects.using(DATABASE).select_for_update()",
        "Reservation.objects.select_for_update()",
    ),
    _unnamed(
        "payment-lock",
        "a row lock of payments",
        "payments/rows.py",
        "Payment.objects.using(DATABASE).select_for_update()",
        "Payment.objects.select_for_update()",
    ),
    _unnamed(
        "payment-save",
        "a save of payments",
        "payments/rows.py",
        "payment.save(using=DATABASE, update_fields=_CHANGING)",
        "payment.save(update_fields=_CHANGING)",
    ),
    _unnamed(
        "mail-lock",
        "a row lock of mails",
        "notifications/services.py",
        "return Message.objects.using(DATABASE).select_for_update()",
        "return Message.objects.select_for_update()",
    ),
    _unnamed(
        "mail-query",
        "a query of mails",
        "notifications/services.py",
        "rows = Message.objects.using(DATABASE).filter(saga_id=saga_id, kind=kind)",
        "rows = Message.objects.filter(saga_id=saga_id, kind=kind)",
    ),
    _unnamed(
        "receipt-query",
        "a query of receipts",
        _RECEIPTS,
        "manager = receipts._base_manager.using(using)",
        "manager = receipts._base_manager",
    ),
    _unnamed(
        "relay-claim",
        "a relay's query",
        "sagas/events/relay.py",
        "    rows = outbox._base_manager.using(outbox.database)\n    with crash.committing(",
        "    rows = outbox._base_manager\n    with crash.committing(",
    ),
    _unnamed(
        "inbox-savepoint",
        "a consumer's savepoint",
        "sagas/events/inbox.py",
        "with transaction.atomic(using=using):",
        "with transaction.atomic():",
    ),
    _unnamed(
        "return-lock",
        "a row lock of returns",
        "orders/aftersales.py",
        "Return.objects.using(DATABASE).select_for_update()",
        "Return.objects.select_for_update()",
    ),
    _unnamed(
        "part-save",
        "a save of partial refunds",
        "payments/parts.py",
        'part.save(using=DATABASE, update_fields=["status", "provider_ref", "settled_at"])',
        'part.save(update_fields=["status", "provider_ref", "settled_at"])',
    ),
    _unnamed(
        "webhook-query",
        "a query of webhook deliveries",
        "notifications/webhooks/sending.py",
        "    this = WebhookEndpoint.objects.using(DATABASE)",
        "    this = WebhookEndpoint.objects",
    ),
    remove(
        "using-router",
        "an app migrates in its own database only",
        "config/routers.py",
        "return db == database_of(app_label)",
        "return True",
        "config/tests/test_router.py::test_an_app_migrates_in_its_own_database_only",
    ),
    remove(
        "using-relations",
        "no relation leaves its database",
        "config/routers.py",
        "return database_of(obj1._meta.app_label) == database_of(obj2._meta.app_label)",
        "return True",
        "config/tests/test_router.py"
        "::test_a_relation_across_databases_is_refused_and_one_within_is_not",
    ),
    remove(
        "receipt-repeat",
        "a repeat finds the receipt and does nothing",
        _RECEIPTS,
        "    if first:\n        return receipt, None\n",
        "    if True:\n        return receipt, None\n",
        "orders/tests/test_create.py::test_a_repeat_returns_the_first_result",
        "orders/tests/test_doubled_messages.py::test_twenty_copies_of_one_creation_make_one_order",
        "inventory/tests/test_reserve.py::test_a_repeated_reservation_returns_the_first_result",
        "inventory/tests/test_doubled_messages.py::test_twenty_copies_of_one_reservation_hold_once",
        "sagas/checkout/tests/test_story.py"
        "::test_a_worker_that_dies_between_effect_and_save_repeats_nothing",
        "orders/tests/test_outbox.py::test_a_repeated_step_tells_nothing_again",
    ),
    remove(
        "receipt-tombstone",
        "what was undone first is never done",
        _RECEIPTS,
        "    if receipt.undone_at is not None:\n        raise",
        "    if False:\n        raise",
        "orders/tests/test_create.py::test_a_cancellation_before_the_order_forbids_it_for_ever",
        "orders/tests/test_doubled_messages.py::test_a_cancellation_among_creations_always_wins",
        "inventory/tests/test_release.py"
        "::test_a_release_before_the_reservation_forbids_it_for_ever",
        "inventory/tests/test_doubled_messages.py::test_a_release_among_reservations_always_wins",
    ),
    remove(
        "receipt-undo-repeat",
        "a repeated undo finds its tombstone and does nothing",
        _RECEIPTS,
        "        if receipt.undone_at is not None:\n            return dict(receipt.undo_result)\n",
        "",
        "inventory/tests/test_release.py::test_a_second_release_gives_nothing_back_twice",
        "orders/tests/test_confirm_and_cancel.py"
        "::test_a_repeated_cancellation_returns_the_first_result_and_keeps_the_first_reason",
        "sagas/aftersales/tests/test_cancellation.py"
        "::test_a_worker_that_died_in_any_step_is_taken_over",
    ),
    remove(
        "receipt-lock",
        "whoever finds a receipt holds it to the end",
        _RECEIPTS,
        "return manager.select_for_update().get(",
        "return manager.get(",
        "inventory/tests/test_doubled_messages.py::test_twenty_copies_of_one_release_give_back_once",
    ),
    remove(
        "receipt-comes-first",
        "a second writer waits for the first instead of failing",
        _RECEIPTS,
        "ON CONFLICT (saga_id, step) DO NOTHING\n",
        "",
        "inventory/tests/test_doubled_messages.py::test_twenty_copies_of_one_reservation_hold_once",
    ),
]
