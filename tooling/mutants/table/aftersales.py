"""After the sale: shipped or cancelled, no unit and no amount twice, and who agreed to what."""

from tooling.mutants.patch import Lacks, Mutant, Patch, remove

_ORDERS, _INTAKE = "orders/aftersales.py", "sagas/aftersales/intake.py"
_PARTIAL, _PARTS, _AFTERMATH = "payments/partial.py", "payments/parts.py", "payments/aftermath.py"
_CANCEL = "sagas/aftersales/tests/test_cancellation.py"
_RETURNS = "sagas/aftersales/tests/test_returns.py"
_REFUNDS = "payments/tests/test_partial_refund.py"

MUTANTS = [
    remove(
        "aftersales-shipped-is-not-held",
        "what is shipped is not cancelled any more",
        _ORDERS,
        "        if order.shipped_at is not None:\n"
        '            raise OrderShipped(f"order {order.number} has been shipped")',
        "        if False:\n"
        '            raise OrderShipped(f"order {order.number} has been shipped")',
        f"{_CANCEL}::test_goods_that_leave_between_the_word_and_its_first_step_are_not_paid_back",
    ),
    remove(
        "aftersales-held-is-not-shipped",
        "what is being cancelled is not shipped",
        _ORDERS,
        "        if order.held_by is not None:\n",
        "        if False:\n",
        f"{_CANCEL}::test_an_order_that_is_being_cancelled_is_not_shipped",
    ),
    Mutant(
        name="aftersales-hold-and-its-check",
        guard="code and database both let a shipped order be cancelled",
        changes=[
            Patch(
                _ORDERS,
                '            raise OrderShipped(f"order {order.number} has been shipped")\n',
                "            pass\n",
            ),
            Lacks("orders", "orders_shipped_is_not_held_back"),
        ],
        tests=[
            f"{_CANCEL}::test_goods_that_leave_between_the_word_and_its_first_step_are_not_paid_back"
        ],
    ),
    remove(
        "aftersales-cancel-once",
        "an order has one cancellation that stands",
        _INTAKE,
        "    if standing is not None:\n        return standing\n",
        "",
        f"{_CANCEL}::test_asking_twice_cancels_once",
    ),
    remove(
        "aftersales-complete-only",
        "a checkout that is under way is cancelled as a checkout",
        _INTAKE,
        "    if checkout.state != COMPLETE:\n",
        "    if False:\n",
        f"{_CANCEL}::test_a_checkout_that_is_under_way_is_cancelled_as_a_checkout",
    ),
    remove(
        "aftersales-key-is-repeated",
        "the same key gives the same part back once",
        _INTAKE,
        "        if earlier is not None:\n            return earlier\n",
        "",
        f"{_RETURNS}::test_the_same_key_pays_back_once",
    ),
    remove(
        "aftersales-limit",
        "above the limit a higher permission gives money back",
        _INTAKE,
        "        if limit is not None and amount > limit:\n",
        "        if False:\n",
        f"{_RETURNS}::test_an_amount_above_the_limit_needs_the_higher_permission",
    ),
    remove(
        "aftersales-permission",
        "only staff with the permission give money back",
        "sagas/aftersales/views.py",
        "bool(request.user and request.user.has_perm(intake.MAY_REFUND))",
        "bool(request.user and request.user.is_authenticated)",
        f"{_RETURNS}::test_only_staff_with_the_permission_pay_back",
    ),
    remove(
        "aftersales-agreed-amount",
        "the amount that was shown is the amount that was agreed to",
        "sagas/aftersales/pages.py",
        'if request.POST.get("agreed") == str(amount):',
        'if request.POST.get("agreed"):',
        "sagas/aftersales/tests/test_pages.py"
        "::test_an_amount_that_changed_since_it_was_seen_is_shown_anew",
    ),
    remove(
        "aftersales-units-once",
        "no unit comes back twice",
        _ORDERS,
        'lines.filter(returned__lte=F("quantity") - quantity).update(',
        "lines.update(",
        f"{_RETURNS}::test_two_returns_of_one_unit_pay_back_once",
    ),
    remove(
        "aftersales-paid-stays-returned",
        "units whose money is gone are not put back for another return",
        _ORDERS,
        "        if is_paid:\n",
        "        if False:\n",
        f"{_RETURNS}::test_one_that_went_through_while_it_was_being_withdrawn_stays_returned",
    ),
    remove(
        "aftersales-stop-asks-first",
        "a refund is not given up before the provider was asked for it",
        _PARTIAL,
        "            if not _was_made(part):\n                parts.fail(",
        "            if part:\n                parts.fail(",
        f"{_REFUNDS}::test_stopping_one_whose_answer_was_lost_finds_that_it_stands",
        f"{_RETURNS}::test_one_that_went_through_while_it_was_being_withdrawn_stays_returned",
    ),
    remove(
        "aftersales-part-fits",
        "no more goes back than is left",
        _PARTS,
        "        if amount > left:\n",
        "        if False:\n",
        f"{_RETURNS}::test_two_amounts_that_are_too_much_together_pay_back_one",
        f"{_REFUNDS}::test_more_than_is_left_is_refused_and_nothing_is_sent",
    ),
    remove(
        "aftersales-part-is-set-aside",
        "what is under way is set aside before the provider is asked",
        _PARTS,
        "        payment.refund_pending += amount\n",
        "",
        f"{_REFUNDS}::test_what_is_under_way_is_set_aside",
    ),
    remove(
        "aftersales-part-asks-first",
        "a repeat asks the provider before it asks for money",
        _PARTIAL,
        "(is_first or not _was_made(part))",
        "(is_first or part)",
        f"{_REFUNDS}::test_an_answer_that_went_wrong_is_looked_for",
    ),
    remove(
        "aftersales-part-spent-key",
        "a key under which the provider keeps an error is not sent again",
        _PARTS,
        "        if not young.exists():\n",
        "        if False:\n",
        f"{_REFUNDS}::test_a_stored_500_gets_a_new_key",
    ),
    # Each of the two tombstones covers for the other.
    Mutant(
        name="aftersales-part-tombstone",
        guard="a part that was stopped before it began is never made",
        changes=[
            Patch(
                _PARTS,
                "            step=receipts.BEGIN_PART_STEP,\n            inverse",
                '            step="another",\n            inverse',
            ),
            Patch(
                _PARTS,
                "            receipts.undo_receipt(saga_id, receipts.PART_STEP, {})\n",
                "            pass\n",
            ),
        ],
        tests=[f"{_REFUNDS}::test_one_that_was_stopped_is_never_made"],
    ),
    remove(
        "aftersales-part-ends-with-the-payment",
        "no part is made once the whole payment went back",
        _PARTS,
        "    pending.update(status=PartStatus.FAILED,",
        "    pending.none().update(status=PartStatus.FAILED,",
        f"{_REFUNDS}::test_a_part_that_was_not_made_before_a_reversal_never_is",
    ),
    remove(
        "aftersales-part-counted-once",
        "a part that a webhook told of is settled in the transaction that counts it",
        _AFTERMATH,
        "    parts.settle_in(payment, refunds)\n",
        "",
        f"{_REFUNDS}::test_a_webhook_that_comes_before_our_own_record_counts_the_part_once",
    ),
    remove(
        "aftersales-part-came-late",
        "a part that was given up and came through is not counted twice, and is told of",
        _PARTS,
        "    if was_given_up:  # ",
        "    if False:  # ",
        f"{_REFUNDS}::test_a_call_that_was_frozen_until_after_the_stop_is_found_and_told_of",
    ),
    remove(
        "aftersales-recent-list",
        "a list of refunds that is older than our books changes nothing",
        _AFTERMATH,
        "    parts.must_be_recent(payment, refunds)\n",
        "",
        f"{_REFUNDS}::test_a_list_of_refunds_that_is_older_than_our_books_changes_nothing",
    ),
]
