"""Orders as the API shows them to the shopper whose order it is."""

from typing import Any

from rest_framework import serializers

from orders.models import Order, OrderEvent, OrderLine, TimelineEntry

#: What of an event's payload a shopper is shown; ids of our rows say nothing to them.
_SHOWN = ("amount", "currency", "kind", "lines", "number", "reason", "total")


class TotalSerializer(serializers.Serializer[Order]):
    """An amount in minor units of a currency."""

    amount = serializers.IntegerField(source="total", help_text="In minor units.")
    currency = serializers.CharField(help_text="ISO 4217 code.")


class ShippingAddressSerializer(serializers.Serializer[Order]):
    """Where the order goes."""

    name = serializers.CharField()
    line1 = serializers.CharField()
    line2 = serializers.CharField(allow_blank=True)
    city = serializers.CharField()
    postal_code = serializers.CharField()
    country = serializers.CharField(help_text="ISO 3166-1 alpha-2 code.")


class OrderLineSerializer(serializers.ModelSerializer[OrderLine]):
    """One product; amounts in minor units of the order's currency."""

    class Meta:
        model = OrderLine
        fields = ["sku", "name", "quantity", "unit_price", "line_total"]
        read_only_fields = fields


class OrderEventSerializer(serializers.ModelSerializer[OrderEvent]):
    """Something that happened to the order; a cancellation says why."""

    class Meta:
        model = OrderEvent
        fields = ["kind", "reason", "happened_at"]
        read_only_fields = fields


class OrderSerializer(serializers.ModelSerializer[Order]):
    """An order with its lines and everything that happened to it, oldest first."""

    total = TotalSerializer(source="*", read_only=True)
    shipping_address = ShippingAddressSerializer(read_only=True)
    lines = OrderLineSerializer(many=True, read_only=True)
    events = OrderEventSerializer(many=True, read_only=True)

    class Meta:
        model = Order
        fields = [
            "number",
            "status",
            "total",
            "email",
            "shipping_address",
            "lines",
            "events",
            "cancel_reason",
            "created_at",
        ]
        read_only_fields = fields


class TimelineSerializer(serializers.ModelSerializer[TimelineEntry]):
    """Something that a part of the shop did for the order."""

    details = serializers.SerializerMethodField(
        help_text="Amounts in minor units, products, codes; which ones depends on the type."
    )

    class Meta:
        model = TimelineEntry
        fields = ["type", "happened_at", "details"]
        read_only_fields = fields

    def get_details(self, entry: TimelineEntry) -> dict[str, Any]:
        """Return what a shopper is shown of the event."""
        return {name: entry.payload[name] for name in _SHOWN if name in entry.payload}
