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
    "tests/test_outages.py::test_a_broker_that_hangs_does_not_hang_the_request": "the guard is"
    " three time-outs in config/celery.py; the test's client waits longer than a suite should",
    "payments/tests/test_charge_in_doubt.py::test_two_workers_with_different_keys_charge_once": (
        "the guard is the provider's own state machine; it is not ours to take away"
    ),
}
