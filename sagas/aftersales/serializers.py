"""The bodies of cancellations and refunds."""

from typing import Any

from rest_framework import serializers

from sagas.aftersales.intake import REASONS
from sagas.checkout.serializers import (
    MAX_LINES,
    MAX_QUANTITY,
    Amount,
    Integer,
    Reason,
    Strict,
    Text,
)

#: Minor units; fewer digits than a card's number has.
_LARGEST = 10**11

#: The words that people read; the OpenAPI document names the enums by settings.
CANCELLATION_STATUSES = ["processing", "cancelled", "refused"]
REFUND_STATUSES = ["processing", "refunded", "refused"]


class ReturnedLine(Strict):
    """Units of one line."""

    sku = Text(max_length=64)
    quantity = Integer(min_value=1, max_value=MAX_QUANTITY)


class RefundBody(Strict):
    """What is to be given back: units of lines, an amount, or the lines for another amount."""

    lines = serializers.ListField(
        child=ReturnedLine(), min_length=1, max_length=MAX_LINES, required=False
    )
    amount = Integer(
        min_value=1,
        max_value=_LARGEST,
        required=False,
        help_text="Minor units; what the lines cost if it is left out.",
    )
    reason = serializers.ChoiceField(REASONS)

    def validate(self, attrs: Any) -> Any:
        """Refuse a body that names neither, and one that names a product twice."""
        lines = attrs.get("lines", [])
        if not lines and "amount" not in attrs:
            raise serializers.ValidationError(
                {"amount": ["Send lines, an amount, or both."]}, code="required"
            )
        skus = [line["sku"] for line in lines]
        if len(set(skus)) < len(skus):
            raise serializers.ValidationError(
                {"lines": ["Each product is named once; add its units up."]}, code="twice"
            )
        return attrs


class AftersalesLinks(serializers.Serializer[Any]):
    self = serializers.CharField()
    order = serializers.CharField()


class CancellationAnswer(serializers.Serializer[Any]):
    """How a cancellation stands."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(
        CANCELLATION_STATUSES, help_text="`cancelled` once all of the money is given back."
    )
    order_number = serializers.CharField()
    refunded = Amount(help_text="Given back so far, of the whole order.")
    reason = Reason(allow_null=True, help_text="Why it was refused.")
    created_at = serializers.DateTimeField()
    links = AftersalesLinks()


class RefundAnswer(serializers.Serializer[Any]):
    """How a refund of a part stands."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(REFUND_STATUSES)
    order_number = serializers.CharField()
    amount = Amount()
    lines = ReturnedLine(many=True)
    why = serializers.ChoiceField(REASONS)
    reason = Reason(allow_null=True, help_text="Why it was refused.")
    created_at = serializers.DateTimeField()
    links = AftersalesLinks()
