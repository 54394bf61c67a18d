"""The pictures after the sale: an order that was cancelled, one with a part given back."""

from collections.abc import Callable
from uuid import UUID

from django.urls import reverse


def after_the_sale(
    cancelled: str, returned: str, until: Callable[[Callable[[], bool]], None]
) -> dict[str, str]:
    """Cancel the order of one checkout, give a part of another back; return the pages to look at.

    Args:
        cancelled, returned: ids of checkouts that are complete.
        until: waits until what it is given is so.
    """
    from orders import services as orders
    from sagas.aftersales import intake
    from sagas.aftersales.intake import Wanted
    from sagas.models import Saga

    def is_complete(saga_id: UUID) -> bool:
        return Saga.objects.using("default").get(pk=saga_id).state == "COMPLETE"

    cancellation = intake.cancel(orders.order_of(saga_id=UUID(cancelled)))
    order = orders.order_of(saga_id=UUID(returned))
    wanted = Wanted(reason="damaged", lines=[{"sku": "MUG-BLUE", "quantity": 1}])
    part = intake.refund(order, wanted, principal="user:1", idempotency_key="picture", limit=None)
    until(lambda: is_complete(cancellation.pk) and is_complete(part.pk))
    return {
        "cancellation page": reverse("admin:sagas_saga_change", args=[cancellation.pk]),
        "return page": reverse("admin:sagas_saga_change", args=[part.pk]),
        "paid order page": reverse("admin:orders_order_change", args=[order.pk]),
        "cancel page": reverse("order-cancel-page", args=[order.pk]),
        "refund page": reverse("order-refund-page", args=[order.pk]),
    }
