"""What the databases refuse: each constraint, unique key and trigger is dropped in turn."""

from collections.abc import Iterator, Mapping, Sequence

from tooling.mutants.patch import Lacks, Mutant

_ORDERS = "orders/tests/test_constraints.py"
_INVENTORY = "inventory/tests/test_constraints.py"
_PAYMENTS = "payments/tests/test_constraints.py"
_OPERATIONS = "payments/tests/test_operation_constraints.py"
_PROVIDER = "payments/tests/test_provider_constraints.py"
_MAILS = "notifications/tests/test_constraints.py"
_SAGAS = "sagas/tests/test_database_guards.py"
_CHAOS = "sagas/tests/test_disturbances.py"
#: One table each in several databases.
_RECEIPTS = "sagas/checkout/tests/test_receipt_rows.py"
_EVENTS = "sagas/checkout/tests/test_event_rows.py"

#: alias -> what is dropped -> the test that misses it.
_REFUSALS: Mapping[str, Mapping[str, str]] = {
    "default": {
        "sagas_one_saga_a_request": "sagas/tests/test_operations.py"
        "::test_twenty_equal_requests_at_once_make_one_saga",
        "sagas_epoch_positive": f"{_SAGAS}::test_an_epoch_below_one_is_refused",
        "sagas_unfinished_is_due_some_time": f"{_SAGAS}"
        "::test_an_unfinished_saga_without_a_time_to_look_at_it_is_refused",
        "sagas_finished_means_finished": f"{_SAGAS}"
        "::test_a_finished_saga_without_its_time_is_refused",
        "sagas_saga_forward_only": f"{_SAGAS}::test_an_epoch_never_falls",
        "sagas_steprun_append_only": f"{_SAGAS}::test_history_cannot_be_changed_or_deleted",
        "sagas_operatoraction_append_only": f"{_SAGAS}"
        "::test_what_people_did_cannot_be_changed_or_deleted",
        "sagas_actionoutcome_append_only": f"{_SAGAS}"
        "::test_what_people_did_cannot_be_changed_or_deleted",
        "sagas_switchlog_append_only": f"{_SAGAS}"
        "::test_what_people_did_cannot_be_changed_or_deleted",
        "sagas_one_open_approval": f"{_SAGAS}::test_a_verb_is_asked_for_once",
        "sagas_approved_by_another": f"{_SAGAS}"
        "::test_nobody_approves_what_they_asked_for_themselves",
        "sagas_once_a_bulk_run": f"{_SAGAS}::test_a_saga_is_once_in_a_bulk_run",
        "sagas_finding_open_once": f"{_SAGAS}::test_a_finding_is_open_once",
        "sagas_disturbance_keeps_its_plan": f"{_CHAOS}::test_a_plan_stays_as_it_was_made",
        "sagas_disturbs_no_more_than_planned": f"{_CHAOS}::test_more_hits_than_planned_are_refused",
        "sagas_disturbed_once_a_number": f"{_CHAOS}::test_a_hit_is_numbered_once",
        "sagas_disturbedattempt_append_only": f"{_CHAOS}::test_what_was_hit_stays_written",
    },
    "orders": {
        "orders_one_order_a_saga": f"{_ORDERS}::test_a_saga_has_one_order",
        "orders_number_once": f"{_ORDERS}::test_a_number_is_given_once",
        "orders_one_line_a_sku": f"{_ORDERS}::test_an_order_names_a_sku_once",
        "orders_draft_total_not_negative": f"{_ORDERS}::test_a_draft_has_no_negative_total",
        "orders_total_not_negative": f"{_ORDERS}::test_an_order_is_whole",
        "orders_currency_is_iso": f"{_ORDERS}::test_an_order_is_whole",
        "orders_status_has_its_time": f"{_ORDERS}::test_an_order_is_whole",
        "orders_unit_price_not_negative": f"{_ORDERS}::test_a_line_adds_up",
        "orders_line_buys_something": f"{_ORDERS}::test_a_line_adds_up",
        "orders_line_total_adds_up": f"{_ORDERS}::test_a_line_adds_up",
        "orders_shipped_is_not_held_back": f"{_ORDERS}::test_an_order_is_whole",
        "orders_returned_le_bought": f"{_ORDERS}::test_a_line_adds_up",
        "orders_return_positive": f"{_ORDERS}::test_a_return_is_whole",
        "orders_return_closed_means_closed": f"{_ORDERS}::test_a_return_is_whole",
        "orders_one_return_a_saga": f"{_ORDERS}::test_a_saga_has_one_return",
        "orders_line_once_a_return": f"{_ORDERS}::test_a_return_names_a_line_once",
        "orders_return_line_has_units": f"{_ORDERS}::test_a_line_of_a_return_has_units",
        "orders_orderevent_append_only": f"{_ORDERS}"
        "::test_what_happened_is_never_changed_or_deleted",
    },
    "inventory": {
        "inventory_no_oversell": "inventory/tests/test_last_unit.py"
        "::test_without_the_condition_the_constraint_refuses_all_but_one",
        "inventory_one_reservation_a_saga": f"{_INVENTORY}::test_a_saga_has_one_reservation",
        "inventory_one_line_a_sku": f"{_INVENTORY}::test_a_reservation_names_a_sku_once",
        "inventory_line_holds_something": f"{_INVENTORY}::test_a_line_holds_at_least_one_unit",
        "inventory_released_has_its_time": f"{_INVENTORY}"
        "::test_a_reservation_is_released_at_a_time",
        "inventory_sku_is_plain": f"{_INVENTORY}::test_a_sku_is_plain",
        "inventory_price_not_negative": f"{_INVENTORY}::test_a_price_is_an_amount_of_a_currency",
        "inventory_currency_is_iso": f"{_INVENTORY}::test_a_price_is_an_amount_of_a_currency",
        "inventory_low_at_positive": f"{_INVENTORY}::test_a_product_runs_low_at_no_negative_number",
    },
    "payments": {
        "payments_one_payment_a_saga": f"{_PAYMENTS}::test_a_saga_has_one_payment",
        "payments_one_payment_an_intent": f"{_PAYMENTS}::test_an_intent_belongs_to_one_payment",
        "payments_one_charge_a_payment": f"{_PAYMENTS}"
        "::test_a_payment_has_one_successful_charge_and_one_refund[charge-payments_one_charge_a_payment]",
        "payments_one_full_refund_a_payment": f"{_PAYMENTS}"
        "::test_a_payment_has_one_successful_charge_and_one_refund[refund-payments_one_full_refund_a_payment]",
        "payments_refunded_le_captured_le_amount": f"{_OPERATIONS}"
        "::test_no_more_is_given_back_than_was_taken",
        "payments_captured_whole_or_not": f"{_OPERATIONS}::test_a_part_is_never_captured",
        "payments_amount_positive": f"{_OPERATIONS}::test_a_payment_is_over_something",
        "payments_status_agrees_with_money": f"{_PAYMENTS}::test_money_and_status_must_agree",
        "payments_captured_has_an_intent": f"{_PAYMENTS}::test_money_and_status_must_agree",
        "payments_currency_is_iso": f"{_PAYMENTS}::test_money_and_status_must_agree",
        "payments_authorised_to_be_captured": f"{_PROVIDER}::test_what_is_held_is_to_be_captured",
        "payments_disputed_not_negative": f"{_PROVIDER}::test_a_dispute_is_never_below_nothing",
        "payments_one_row_an_event": f"{_PROVIDER}::test_an_event_is_kept_once",
        "payments_event_is_due_or_done": f"{_PROVIDER}::test_an_event_is_due_or_done",
        "payments_one_row_a_movement": f"{_PROVIDER}::test_a_movement_is_kept_once",
        "payments_movement_not_negative": f"{_PROVIDER}::test_a_movement_is_over_something",
        "payments_operation_key": f"{_OPERATIONS}::test_a_key_is_given_once",
        "payments_operation_generation": f"{_OPERATIONS}::test_a_generation_is_there_once",
        "payments_one_unsettled_a_kind": f"{_OPERATIONS}::test_one_operation_of_a_kind_is_open",
        "payments_operation_amount": f"{_OPERATIONS}::test_an_operation_has_the_amount_of_its_kind",
        "payments_settled_means_settled": f"{_OPERATIONS}::test_what_is_settled_has_its_time",
        "payments_method_has_a_token": f"{_OPERATIONS}::test_a_payment_method_has_a_token",
        "payments_refunds_fit_the_capture": "payments/tests/test_partial_refund.py"
        "::test_the_database_refuses_what_would_give_back_too_much",
        "payments_one_part_a_saga": f"{_OPERATIONS}::test_a_saga_has_one_part",
        "payments_part_positive": f"{_OPERATIONS}::test_a_part_is_over_something",
        "payments_part_settled_means_settled": f"{_OPERATIONS}"
        "::test_a_part_that_is_settled_has_its_time",
    },
    "notifications": {
        "notifications_one_message_a_kind": f"{_MAILS}::test_a_saga_has_one_message_of_a_kind",
        "notifications_message_id_once": f"{_MAILS}::test_a_message_id_is_given_once",
        "notifications_kind_is_known": f"{_MAILS}::test_a_row_that_must_never_be_is_refused",
        "notifications_sent_means_sent": f"{_MAILS}::test_a_row_that_must_never_be_is_refused",
        "notifications_only_pending_is_claimed": f"{_MAILS}"
        "::test_a_row_that_must_never_be_is_refused",
        "notifications_headers_are_one_line": f"{_MAILS}::test_a_row_that_must_never_be_is_refused",
        "notifications_asked_for_once": "notifications/tests/test_notices.py"
        "::test_asked_for_twice_is_asked_for_once",
        "notifications_notice_sent_means_sent": f"{_MAILS}"
        "::test_a_notice_that_must_never_be_is_refused",
        "notifications_due_has_its_time": f"{_MAILS}::test_a_notice_that_must_never_be_is_refused",
        "notifications_delivered_once": "notifications/tests/test_webhook_delivery.py"
        "::test_a_doubled_event_is_delivered_once",
        "notifications_delivery_has_its_time": f"{_MAILS}"
        "::test_a_delivery_has_the_times_of_its_status",
        "notifications_disabled_says_why": f"{_MAILS}"
        "::test_an_endpoint_that_must_never_be_is_refused",
        "notifications_endpoint_has_a_seed": f"{_MAILS}"
        "::test_an_endpoint_that_must_never_be_is_refused",
    },
}


_DOMAINS = ("orders", "inventory", "payments", "notifications")
#: What is dropped, behind the alias -> the test that misses it -> the databases that have it.
_ALIKE: Mapping[str, tuple[str, Sequence[str]]] = {
    "receipt_once": (f"{_RECEIPTS}::test_a_step_of_a_saga_has_one_receipt", _DOMAINS),
    "receipt_says_something": (f"{_RECEIPTS}::test_a_receipt_says_done_or_undone", _DOMAINS),
    "outbox_claimed_while_it_waits": (
        f"{_EVENTS}::test_what_is_relayed_is_claimed_by_no_relay",
        _DOMAINS,
    ),
    "outbox_relayed_before_received": (
        f"{_EVENTS}::test_what_was_received_was_relayed_before",
        _DOMAINS,
    ),
    "inbox_once": (
        f"{_EVENTS}::test_an_event_is_heard_once_by_a_consumer",
        ("orders", "notifications"),
    ),
}


def _dropped(alias: str, name: str, test: str) -> Mutant:
    return Mutant(
        name=f"schema-{name}",
        guard=f"database {alias} refuses: {name}",
        changes=[Lacks(alias, name)],
        tests=[test],
    )


def _mutants() -> Iterator[Mutant]:
    for alias, refusals in _REFUSALS.items():
        for name, test in refusals.items():
            yield _dropped(alias, name, test)
    for rule, (test, aliases) in _ALIKE.items():
        for alias in aliases:
            yield _dropped(alias, f"{alias}_{rule}", f"{test}[{alias}]")
    for alias in ("orders", "notifications"):
        # Any case of the test will do: each has a time that its status has not.
        name = f"{alias}_inbox_status_has_its_time"
        yield _dropped(alias, name, f"{_EVENTS}::test_an_entry_has_the_times_of_its_status")


MUTANTS = list(_mutants())
