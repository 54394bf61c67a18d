"""Who may come in and do what: requests, shoppers, operators, switches."""

from tooling.mutants.patch import remove

_OPERATIONS = "sagas/tests/test_operations.py"
_VERB_PAGES = "sagas/console/tests/test_verb_pages.py"

MUTANTS = [
    remove(
        "doors-repeat-returns-the-first",
        "the same request again is answered with the same checkout",
        "sagas/checkout/intake.py",
        "        if earlier is not None:\n            return earlier\n",
        "",
        "sagas/checkout/tests/test_idempotency.py"
        "::test_a_repeat_is_answered_though_the_stock_is_gone_by_then",
    ),
    remove(
        "doors-key-is-not-reused",
        "a key belongs to one request",
        "sagas/operations.py",
        "if saga is not None and saga.request_fingerprint != fingerprint:",
        "if False:",
        f"{_OPERATIONS}::test_the_key_with_another_request_is_refused",
    ),
    remove(
        "doors-keys-are-their-own",
        "keys belong to whoever sent them",
        "sagas/operations.py",
        ".filter(kind=kind, principal=principal, idempotency_key=idempotency_key)",
        ".filter(kind=kind, idempotency_key=idempotency_key)",
        "sagas/checkout/tests/test_idempotency.py::test_keys_belong_to_whoever_sent_them",
    ),
    remove(
        "doors-order-token",
        "a token shows one checkout and no other",
        "sagas/checkout/auth.py",
        "return request.auth.checkout_id == checkout_id",
        "return True",
        "sagas/checkout/tests/test_who_asks.py::test_the_token_of_another_order_does_not_open_it",
    ),
    remove(
        "doors-guests-need-a-token",
        "a guest is nobody without a token",
        "sagas/checkout/auth.py",
        "return principal != GUEST and principal == principal_of(request)",
        "return principal == principal_of(request)",
        "sagas/checkout/tests/test_who_asks.py::test_without_the_token_a_guests_checkout_does_not_exist",
    ),
    remove(
        "doors-cancel-before-the-pivot",
        "a shopper cancels before the pivot only",
        "sagas/operations.py",
        "        if saga.is_before_pivot:\n            endings.compensate(saga, reason=CANCELLED",
        "        if True:\n            endings.compensate(saga, reason=CANCELLED",
        f"{_OPERATIONS}::test_a_shopper_may_not_cancel_past_the_pivot",
    ),
    remove(
        "doors-past-the-pivot",
        "only a higher permission compensates past the pivot",
        "sagas/verbs.py",
        "if not saga.is_before_pivot and not past_pivot:",
        "if False:",
        f"{_OPERATIONS}::test_only_a_higher_permission_compensates_past_the_pivot",
    ),
    remove(
        "doors-as-seen",
        "a verb acts on what the operator saw, or not at all",
        "sagas/mandates.py",
        "if mandate.seen is not None and mandate.seen != (saga.epoch, saga.revision):",
        "if False:",
        "sagas/tests/test_operations.py::test_a_word_on_what_has_moved_on_since_is_refused",
    ),
    remove(
        "doors-one-word-once",
        "of two equal words one is carried out",
        "sagas/verbs.py",
        "        journal.touch(saga)\n",
        "        pass\n",
        f"{_VERB_PAGES}::test_a_double_click_has_one_effect",
    ),
    remove(
        "doors-busy-worker",
        "a worker at work is left alone",
        "sagas/verbs.py",
        "    elif saga.claimed_at is not None and not saga.is_due:\n",
        "    elif False:\n",
        f"{_OPERATIONS}::test_retry_leaves_a_working_worker_and_a_finished_saga_alone",
    ),
    remove(
        "doors-by-hand-is-confirmed",
        "the provider confirms what is resolved by hand",
        "payments/mending.py",
        "        with suppress(RefundRefused):\n            reversing.finish(payment)\n"
        "            return\n",
        "",
        "payments/tests/test_reverse.py"
        "::test_a_refund_by_hand_is_recorded_only_if_the_provider_still_refuses_its_own"
        "[tok_refund_refused_once-4999]",
    ),
    remove(
        "doors-approval-by-another",
        "another operator has to agree (the database covers for the page)",
        "sagas/console/approvals.py",
        "if approval.requested_by_id == user.pk:",
        "if False:",
        f"{_VERB_PAGES}::test_above_the_limit_a_second_operator_has_to_agree",
    ),
    remove(
        "doors-step-switch",
        "a step that is held back does not run",
        "sagas/executor.py",
        "if attempt.direction is Direction.DO and saga.step_is_held:",
        "if False:",
        "sagas/console/tests/test_switches.py"
        "::test_a_saga_waits_before_a_held_back_step_and_uses_no_attempt_up",
    ),
    remove(
        "doors-switch-spares-undos",
        "compensation is never held back",
        "sagas/executor.py",
        "if attempt.direction is Direction.DO and saga.step_is_held:",
        "if saga.step_is_held:",
        "sagas/console/tests/test_switches.py"
        "::test_compensation_goes_on_while_steps_and_intake_are_held_back",
    ),
    remove(
        "doors-bulk-lease",
        "one worker at a time is on a bulk run",
        "sagas/bulk.py",
        "filter(free, pk=run.pk)",
        "filter(pk=run.pk)",
        "sagas/console/tests/test_bulk.py::test_two_workers_on_one_run_begin_each_saga_once",
    ),
    remove(
        "doors-crash-plan",
        "processes die on purpose in tests only",
        "sagas/checks.py",
        'if not settings.CRASH_PLAN or settings.ENVIRONMENT == "test":',
        "if True:",
        "sagas/tests/test_crash_plan.py::test_a_plan_is_refused_outside_of_tests",
    ),
]
