"""Money: intents before calls, keys, questions before repeats, doubts, late successes."""

from tooling.mutants.patch import Mutant, Patch, remove

_RECORDS, _CALLS, _REVERSING = "payments/records.py", "payments/calls.py", "payments/reversing.py"
_GATEWAY, _READING = "payments/gateways/stripe.py", "payments/gateways/stripe_reading.py"
_OPERATIONS, _ROWS = "payments/operations.py", "payments/rows.py"
_DOUBT, _REVERSE = "payments/tests/test_charge_in_doubt.py", "payments/tests/test_reverse.py"
_REFUND, _LATE = "payments/tests/test_refund.py", "payments/tests/test_late_success.py"
_CONTRACT = "payments/tests/test_gateway_contract.py::TestFakeGateway"
_TWO_STEPS = "payments/tests/test_authorise_and_capture.py"
_HORIZON = "payments/tests/test_key_horizon.py"

MUTANTS = [
    remove(
        "money-intent-row",
        "the charge is committed, with its key, before the provider is called",
        _RECORDS,
        "creation, charge = operations.open_first(payment, Kind.INTENT, Kind.CHARGE)",
        "creation, charge = operations.open_first(payment, Kind.INTENT)[0], None",
        f"{_DOUBT}::test_the_charge_and_its_key_are_committed_before_the_first_call",
    ),
    remove(
        "money-first-charge",
        "a charge goes out as it was begun only while nobody else has asked for the money",
        _RECORDS,
        "if first and nobody_asked:",
        "if first:",
        f"{_DOUBT}::test_a_worker_that_froze_before_it_asked_sends_no_key_that_was_spent_meanwhile",
    ),
    remove(
        "money-intent-key",
        "do and undo make one intent, by one key",
        _CALLS,
        "key=operation.idempotency_key,",
        'key=__import__("uuid").uuid4().hex,',
        f"{_REVERSE}::test_a_frozen_charge_that_wakes_after_its_reversal_charges_nothing",
    ),
    remove(
        "money-operation-key",
        "an operation without an outcome is sent again under its own key",
        _OPERATIONS,
        "        if not _is_spent(before):\n            return before\n        fail(",
        "        fail(",
        f"{_DOUBT}::test_a_time_out_is_a_doubt",
        f"{_DOUBT}::test_two_workers_at_once_charge_once",
        f"{_TWO_STEPS}::test_two_captures_at_once_capture_once",
    ),
    remove(
        "money-old-key",
        "a key that the provider may have forgotten is not sent again",
        _OPERATIONS,
        "return last_one.key_spent or not last_one.is_young",
        "return last_one.key_spent and not last_one.is_young",
        f"{_HORIZON}::test_an_intent_that_was_never_made_is_made_under_a_new_key",
    ),
    remove(
        "money-spent-key",
        "a key under which the provider keeps an error is not sent again",
        _CALLS,
        "key_spent=doubt.answered",
        "key_spent=False",
        f"{_DOUBT}::test_a_stored_500_gets_a_new_key",
    ),
    remove(
        "money-ask-first",
        "the provider is asked for the intent before another one is made",
        _CALLS,
        "        if not search:\n",
        "        if True:\n",
        f"{_DOUBT}::test_a_repeat_asks_before_it_makes_an_intent",
        f"{_HORIZON}::test_an_intent_whose_reply_was_lost_is_found_by_our_id",
    ),
    remove(
        "money-refunds-are-asked-for",
        "refunds are asked for before one is sent",
        _REVERSING,
        "    if _was_refunded(payment):\n        return\n    operation",
        "    operation",
        f"{_REFUND}::test_after_a_part_given_back_by_hand_only_the_rest_is_sent",
    ),
    remove(
        "money-refunds-are-known",
        "the provider's list of refunds is believed",
        _REVERSING,
        "        made = gateway(payment.provider).refunds_of(ref=payment.provider_ref)\n",
        "        made = []\n",
        f"{_REFUND}::test_a_refund_made_by_hand_is_found_and_recorded",
        f"{_HORIZON}::test_a_refund_is_looked_for_before_a_new_key_is_used",
    ),
    remove(
        "money-refund-twice",
        "a refused refund may be one that another has made",
        _REVERSING,
        "        if _was_refunded(payment):\n            return\n        raise",
        "        raise",
        f"{_REFUND}::test_a_refund_that_another_made_in_between_is_recorded",
    ),
    remove(
        "money-server-error-is-doubt",
        "a 5xx is a doubt, not a failure",
        _READING,
        'fault = InDoubt("provider-error", answered=status == _STORED_ERROR)',
        'return Rejected("provider-error")',
        f"{_CONTRACT}::test_an_answer_that_went_wrong_is_a_doubt",
        f"{_DOUBT}::test_a_capture_whose_answer_went_wrong_is_found",
    ),
    remove(
        "money-silence-is-doubt",
        "no answer is a doubt, not a failure",
        _READING,
        'fault = InDoubt("no-answer")',
        'return Unavailable("no-answer")',
        f"{_CONTRACT}::test_a_time_out_is_a_doubt_and_so_is_a_key_in_flight",
        f"{_DOUBT}::test_a_time_out_is_a_doubt",
    ),
    remove(
        "money-doubt-is-noted",
        "a doubt about a call is written down",
        _CALLS,
        "        records.note_doubt(operation, doubt.code, key_spent=doubt.answered)\n",
        "",
        f"{_DOUBT}::test_a_capture_whose_answer_went_wrong_is_found",
    ),
    remove(
        "money-processing-is-doubt",
        "a charge that the bank works on is a doubt",
        "payments/charging.py",
        "case IntentStatus.PROCESSING | IntentStatus.OPEN:\n"
        "            records.lose_sight(payment.pk)\n            raise PaymentInDoubt",
        "case IntentStatus.PROCESSING | IntentStatus.OPEN:\n"
        '            raise CardDeclined("") if payment else PaymentInDoubt',
        f"{_DOUBT}::test_a_late_success_is_waited_for",
    ),
    remove(
        "money-timeout",
        "a call to the provider has a time-out",
        _GATEWAY,
        "wait = (settings.PAYMENT_CONNECT_TIMEOUT, settings.PAYMENT_READ_TIMEOUT)",
        "wait = (settings.PAYMENT_CONNECT_TIMEOUT, 6.0)",
        f"{_CONTRACT}::test_a_time_out_is_a_doubt_and_so_is_a_key_in_flight",
    ),
    remove(
        "money-reversal-shuts-the-door",
        "no charge begins once a reversal has begun",
        _RECORDS,
        '            raise AlreadyCompensated(f"payment {payment_id} is being reversed")\n'
        "        if payment.status not in OPEN:\n",
        "            pass\n        elif payment.status not in OPEN:\n",
        f"{_REVERSE}::test_a_frozen_charge_that_wakes_after_its_reversal_charges_nothing",
    ),
    remove(
        "money-reversal-is-committed",
        "the reversal is committed before the provider is called",
        _RECORDS,
        "        payment.begin_reversal()\n        rows.write(payment, before)\n",
        "        payment.begin_reversal()\n",
        f"{_REVERSE}::test_a_reversal_killed_at_any_point_goes_on",
    ),
    remove(
        "money-cancel-the-intent",
        "an intent that was not captured is cancelled, so that no late success can come",
        _REVERSING,
        "    if intent.status in _CANCELLABLE:\n        intent = _cancel(payment, intent.ref)\n",
        "    if intent.status in _CANCELLABLE:\n        records.record_cancelled(payment.pk)\n"
        "        return\n",
        f"{_REVERSE}::test_a_declined_charge_is_cancelled",
    ),
    remove(
        "money-late-success-is-refunded",
        "a success after the cancel is found and given back",
        "payments/late.py",
        "if intent.status is IntentStatus.CANCELLED:",
        "if intent:",
        f"{_LATE}::test_a_success_after_the_cancel_is_found_told_and_refunded",
    ),
    remove(
        "money-late-success-is-looked-for",
        "a cancelled payment is asked about again",
        _RECORDS,
        "            payment.next_check_at = Now() + FIRST_CHECK\n",
        "",
        f"{_LATE}::test_a_cancelled_payment_is_asked_about_after_a_minute",
    ),
    remove(
        "money-sweep-is-isolated",
        "one failing check does not hold up the others",
        "payments/mending.py",
        "        except Exception as error:",
        "        except ZeroDivisionError as error:",
        f"{_LATE}::test_one_failing_check_does_not_hold_up_the_others",
    ),
    Mutant(
        name="money-sweep-takes-one",
        guard="payments are taken one by one, so that no check is put off unasked",
        changes=[
            Patch(
                "payments/mending.py",
                "        taken = late.claim(limit=1)\n",
                "        taken = late.claim(limit=limit)\n",
            ),
            Patch(
                "payments/mending.py",
                "        (payment_id,) = taken\n",
                "        payment_id, *_ = taken\n",
            ),
        ],
        tests=[f"{_LATE}::test_what_a_sweep_does_not_come_to_stays_due"],
    ),
    remove(
        "money-another-amount",
        "another amount at the provider is never recorded",
        _RECORDS,
        "    rows.must_agree(payment, intent)\n    payment.provider_ref = intent.ref\n",
        "    payment.provider_ref = intent.ref\n",
        "payments/tests/test_constraints.py::test_another_amount_at_the_provider_is_never_recorded",
    ),
    remove(
        "money-row-lock",
        "who writes about a payment holds its row",
        _ROWS,
        "Payment.objects.using(DATABASE).select_for_update()",
        "Payment.objects.using(DATABASE)",
        f"{_REVERSE}::test_a_charge_never_writes_over_a_reversal",
    ),
    remove(
        "money-declined-once",
        "a card that was declined is not asked again",
        "payments/services.py",
        "    if payment.status == Status.DECLINED:\n        raise CardDeclined",
        "    if False:\n        raise CardDeclined",
        "payments/tests/test_charge.py::test_a_declined_card_is_a_refusal_and_stays_one",
    ),
]
