"""Orders and stock: conditional updates, their order, and states that only move one way."""

from tooling.mutants.patch import remove

_INVENTORY, _ORDERS = "inventory/services.py", "orders/services.py"
_CONFIRM = "orders/tests/test_confirm_and_cancel.py"

MUTANTS = [
    remove(
        "stock-conditional-update",
        "stock is tested and taken in one statement",
        _INVENTORY,
        "free.filter(pk=sku, free__gte=quantity)",
        "free.filter(pk=sku)",
        "inventory/tests/test_last_unit.py::test_one_of_fifty_buyers_gets_the_last_unit",
    ),
    remove(
        "stock-in-order",
        "stock is taken in the order of the SKUs",
        _INVENTORY,
        "for sku in sorted(wanted) if not",
        "for sku in wanted if not",
        "inventory/tests/test_opposite_carts.py"
        "::test_a_cart_that_waits_for_its_first_product_holds_no_later_one",
        "inventory/tests/test_opposite_carts.py"
        "::test_opposite_carts_are_both_served_without_a_deadlock",
    ),
    remove(
        "stock-all-or-nothing",
        "all lines are held or none",
        _INVENTORY,
        "        if short:\n            raise OutOfStock",
        "        if False:\n            raise OutOfStock",
        "inventory/tests/test_reserve.py::test_one_short_line_holds_nothing_at_all",
    ),
    remove(
        "stock-correction",
        "a correction never takes what is held",
        _INVENTORY,
        ".filter(free__gte=-change)",
        "",
        "inventory/tests/test_staff_stock.py::test_a_correction_never_takes_what_is_held",
        "inventory/tests/test_staff_stock.py"
        "::test_a_correction_and_sales_at_the_same_instant_never_oversell",
    ),
    remove(
        "order-pending-only",
        "only a pending order is confirmed",
        "orders/models.py",
        "source=Status.PENDING.value, target=Status.CONFIRMED.value",
        'source="*", target=Status.CONFIRMED.value',
        f"{_CONFIRM}::test_a_cancelled_order_is_never_confirmed",
    ),
    remove(
        "order-lock",
        "who moves an order holds its row",
        _ORDERS,
        "Order.objects.using(DATABASE).select_for_update()",
        "Order.objects.using(DATABASE)",
        "orders/tests/test_doubled_messages.py"
        "::test_an_order_confirmed_and_cancelled_at_the_same_instant_ends_cancelled",
    ),
    remove(
        "order-price-snapshot",
        "an order costs what its lines cost",
        _ORDERS,
        "        total=sum(line.line_total for line in basket.lines),\n        **{",
        "        total=basket.total + 1,\n        **{",
        "orders/tests/test_create.py::test_the_total_is_the_sum_of_the_lines",
    ),
]
