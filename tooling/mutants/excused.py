"""Guards that no mutant takes away, each with its reason."""

from collections.abc import Mapping

#: Constraint, unique index or trigger -> why it is not dropped.
SCHEMA: Mapping[str, str] = {}

_SAME = "the same guard is taken away beside a quicker test: "
#: Test whose docstring names a guard -> why no mutant names it.
TESTS: Mapping[str, str] = {
    "sagas/checkout/tests/test_idempotency.py"
    "::test_equal_requests_at_the_same_instant_make_one_checkout": _SAME
    + "schema-sagas_one_saga_a_request",
    "tests/test_rows_of_the_demo.py::test_of_two_shoppers_who_want_the_last_unit_one_gets_it": _SAME
    + "stock-conditional-update",
    "tests/test_outages.py"
    "::test_a_worker_that_freezes_and_comes_back_after_recovery_changes_nothing": _SAME
    + "engine-epoch-and-revision",
    "tests/test_console_browser.py::test_two_operators_at_once_have_one_effect": _SAME
    + "doors-as-seen",
    "inventory/tests/test_crossings.py"
    "::test_buyers_who_give_back_and_buyers_who_take_cross_in_turn": _SAME
    + "stock-level-of-the-move",
    "tests/test_crash_points.py"
    "::test_a_frozen_worker_that_wakes_after_the_one_that_took_over_died_changes_nothing": _SAME
    + "engine-epoch-and-revision, receipt-repeat",
    "tests/test_events.py"
    "::test_a_relay_that_is_killed_between_publishing_and_marking_doubles_without_effect": _SAME
    + "events-heard-once",
    "sagas/tests/test_schedule.py"
    "::test_a_worker_whose_clock_is_ahead_still_takes_its_ticks": "the guard is what migrations"
    " wrote into rows; the runs' databases are copies that were migrated before",
    "tests/test_outages.py::test_a_broker_that_hangs_does_not_hang_the_request": "the guard is"
    " three time-outs in config/celery.py; the test's client waits longer than a suite should",
    "payments/tests/test_charge_in_doubt.py::test_two_workers_with_different_keys_charge_once": (
        "the guard is the provider's own state machine; it is not ours to take away"
    ),
    **dict.fromkeys(
        (
            f"sagas/checkout/tests/test_reconciliation.py::{name}"
            for name in (
                "test_a_charge_without_metadata_is_known_by_the_id_that_we_noted",
                "test_the_next_window_begins_where_the_last_one_came_to",
                "test_a_charge_that_could_not_be_asked_about_holds_the_mark_back",
                "test_the_task_runs_one_at_a_time_beside_the_audit",
            )
        ),
        "not in the gate yet: reconciliation is younger than the table",
    ),
}
