"""Orders and stock: conditional updates, their order, and states that only move one way."""

from tooling.mutants.patch import Lacks, Mutant, Patch, remove

_INVENTORY, _ORDERS = "inventory/services.py", "orders/services.py"
_STOCK = "inventory/stock.py"
_IS_ENOUGH = " AND on_hand + %(on_hand)s - reserved - %(reserved)s >= 0"
_CONFIRM = "orders/tests/test_confirm_and_cancel.py"

MUTANTS = [
    remove(
        "stock-conditional-update",
        "stock is tested and moved in one statement",
        _STOCK,
        f"WHERE sku = %(sku)s{_IS_ENOUGH}",
        "WHERE sku = %(sku)s",
        "inventory/tests/test_last_unit.py::test_one_of_fifty_buyers_gets_the_last_unit",
        "inventory/tests/test_staff_stock.py::test_a_correction_never_takes_what_is_held",
    ),
    Mutant(
        name="stock-condition-and-its-check",
        guard="stock is moved untested (the database covers for the statement)",
        changes=[
            Patch(_STOCK, f"WHERE sku = %(sku)s{_IS_ENOUGH}", "WHERE sku = %(sku)s"),
            Lacks("inventory", "inventory_no_oversell"),
        ],
        tests=[
            "inventory/tests/test_staff_stock.py"
            "::test_a_correction_and_sales_at_the_same_instant_never_oversell"
        ],
    ),
    Mutant(
        name="stock-level-of-the-move",
        guard="what is free is read by the statement that moves it",
        changes=[
            Patch(
                _STOCK,
                "        cursor.execute(_MOVE, {",
                "        free = 'SELECT on_hand - reserved FROM inventory_stock WHERE sku = %s'\n"
                "        cursor.execute(free, [sku])\n"
                "        (before,) = cursor.fetchone()\n"
                "        cursor.execute(_MOVE, {",
            ),
            Patch(
                _STOCK,
                "    after, low_at = moved\n",
                "    after, low_at = before + on_hand - reserved, moved[1]\n",
            ),
        ],
        tests=["inventory/tests/test_crossings.py::test_fifty_buyers_at_once_cross_the_line_once"],
    ),
    remove(
        "stock-in-order",
        "stock is taken in the order of the SKUs",
        _INVENTORY,
        "for sku in sorted(wanted)}",
        "for sku in wanted}",
        "inventory/tests/test_opposite_carts.py"
        "::test_a_cart_that_waits_for_its_first_product_holds_no_later_one",
        "inventory/tests/test_opposite_carts.py"
        "::test_opposite_carts_are_both_served_without_a_deadlock",
    ),
    remove(
        "stock-all-or-nothing",
        "all lines are held or none",
        _INVENTORY,
        "        if len(levels) < len(wanted):\n",
        "        if False:\n",
        "inventory/tests/test_reserve.py::test_one_short_line_holds_nothing_at_all",
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
