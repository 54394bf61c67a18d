"""Orders for those who placed them; anybody else's order does not exist."""

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from orders import services
from orders.models import DATABASE, Order, TimelineEntry
from orders.serializers import OrderSerializer, TimelineSerializer


class IsShopper(BasePermission):
    """Someone who signed in, or a guest who shows the token of their order."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the request says whose orders it asks for."""
        return hasattr(request.auth, "checkout_id") or bool(
            request.user and request.user.is_authenticated
        )


class OrderPages(CursorPagination):
    """Pages from the newest order back: stable while new ones come in."""

    ordering = "-created_at"
    page_size = 50

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Refuse a made-up cursor before its position reaches the database."""
        cursor = super().decode_cursor(request)
        if cursor and cursor.position and not _is_time(str(cursor.position)):
            raise NotFound(self.invalid_cursor_message)
        return cursor


class OrderList(ListAPIView[Order]):
    """List the caller's orders, the newest first; a guest sees the one of their token."""

    permission_classes = [IsShopper]
    serializer_class = OrderSerializer
    pagination_class = OrderPages
    queryset = Order.objects.using(DATABASE).none()  # names the model to the API's schema

    def get_queryset(self) -> QuerySet[Order]:
        """Return the caller's orders."""
        return orders_of_caller(self.request)


class OrderDetail(RetrieveAPIView[Order]):
    """Show one of the caller's orders; 404 for any other."""

    permission_classes = [IsShopper]
    serializer_class = OrderSerializer
    filter_backends = []
    queryset = Order.objects.using(DATABASE).none()  # names the model to the API's schema
    lookup_field = "number"

    def get_object(self) -> Order:
        """Return the order if it is the caller's."""
        return order_of_caller(self.request, self.kwargs["number"])


class OrderTimeline(ListAPIView[TimelineEntry]):
    """List what each part of the shop did for one of the caller's orders, the oldest first.

    It is fed by events, so that what happened just now may take some seconds to show.
    """

    permission_classes = [IsShopper]
    serializer_class = TimelineSerializer
    pagination_class = None
    filter_backends = []
    queryset = TimelineEntry.objects.using(DATABASE).none()  # names the model to the API's schema

    def get_queryset(self) -> QuerySet[TimelineEntry]:
        """Return the timeline of the order if it is the caller's."""
        order = order_of_caller(self.request, self.kwargs["number"])
        return services.timeline_of(saga_id=order.saga_id)


def order_of_caller(request: Request, number: str) -> Order:
    """Return the caller's order of that number; 404 if they have none."""
    order = None
    if services.NUMBER_PATTERN.fullmatch(number):
        order = orders_of_caller(request).filter(number=number).first()
    if order is None:
        raise NotFound("You have no such order.")
    return order


def orders_of_caller(request: Request) -> QuerySet[Order]:
    """Return the orders that the caller may see: their own, or the one that their token names."""
    checkout_id = getattr(request.auth, "checkout_id", None)
    if checkout_id is not None:
        return services.all_orders().filter(saga_id=checkout_id)
    return services.orders_of(principal=f"user:{request.user.pk}")


def _is_time(position: str) -> bool:
    try:
        return parse_datetime(position) is not None
    except ValueError:
        return False
