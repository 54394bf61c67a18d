"""The bodies of the checkout API: strict in what they take, so that nothing fails later."""

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from django.core.validators import RegexValidator
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction
from rest_framework import serializers

from sagas.checkout.cards import has_card_number

MAX_LINES = 100
MAX_QUANTITY = 999

#: C0 and C1 controls, and the separators that pass for line breaks.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TOKEN = RegexValidator(r"^[A-Za-z0-9_-]{3,255}\Z", "Send the token that the provider gave you.")
_COUNTRY = RegexValidator(r"^[A-Z]{2}\Z", "Send an ISO 3166-1 alpha-2 code, such as NL.")
#: The same as a pattern of JSON Schema (ECMA-262), for texts that may be and may not be blank.
_PLAIN = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]"
_MAY_BE_BLANK = f"^{_PLAIN}*$"
_NOT_BLANK = rf"^{_PLAIN}*[^\s\u0000-\u001f\u007f-\u009f\u2028\u2029]{_PLAIN}*$"
#: As many digits as a card's number has; no token of a provider looks like that.
_MANY_DIGITS = re.compile(r"(?:\d[ -]?){12,18}\d")
#: Minor units; fewer digits than a card's number has.
_LARGEST_TOTAL = 10**11


def _no_controls(value: str) -> None:
    if _CONTROL.search(value):
        raise serializers.ValidationError("Control characters are not allowed.", code="control")


def _no_digits_of_a_card(value: str) -> None:
    # What is a card's number for certain is refused by the field itself.
    if _MANY_DIGITS.search(value) and not has_card_number(value):
        _refuse_card_number()


def _no_card_number(value: str) -> None:
    if has_card_number(value):
        _refuse_card_number()


def _refuse_card_number() -> NoReturn:
    raise serializers.ValidationError(
        "This looks like a card number; send the provider's token only.", code="card-number"
    )


class Text(serializers.CharField):
    """A JSON string without control characters; numbers and booleans are not taken for one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators += [_no_controls, _no_card_number]

    def to_internal_value(self, data: Any) -> str:
        """Refuse what is not a string."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Integer(serializers.IntegerField):
    """An integer as JSON Schema has it, 2.0 too; strings, fractions and booleans are none."""

    def to_internal_value(self, data: Any) -> int:
        """Refuse what is not an integer."""
        if isinstance(data, float) and data.is_integer():
            data = int(data)
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class Strict(serializers.Serializer[Any]):
    """Names every member that it does not know, rather than drop it in silence."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse unknown members."""
        if isinstance(data, Mapping):
            unknown = [key for key in data if key not in self.fields]
            if unknown:
                message = f"Unknown member; this object has {', '.join(self.fields)}."
                raise serializers.ValidationError(
                    {key: [message] for key in unknown}, code="unknown"
                )
        return super().to_internal_value(data)


class StrictInTheDocument(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Tells in the OpenAPI document what a ``Strict`` body and its texts refuse."""

    target_class = Strict
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        """Return the object's schema, closed, with a pattern for each text."""
        untyped: Any = auto_schema
        schema: dict[str, Any] = untyped._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        for name, field in self.target.fields.items():
            if isinstance(field, Text):
                told = schema["properties"][name]
                told.setdefault("pattern", _MAY_BE_BLANK if field.allow_blank else _NOT_BLANK)
                if _no_digits_of_a_card in field.validators:
                    told["pattern"] = f"^(?!.*{_MANY_DIGITS.pattern}){told['pattern'][1:]}"
        return {**schema, "additionalProperties": False}


class Address(Strict):
    """Where it goes."""

    name = Text(max_length=200)
    line1 = Text(max_length=200)
    line2 = Text(max_length=200, required=False, allow_blank=True)
    city = Text(max_length=100)
    postal_code = Text(max_length=20)
    country = Text(validators=[_COUNTRY], help_text="ISO 3166-1 alpha-2.")


class CartLine(Strict):
    """One product, and how many of it."""

    sku = Text(max_length=64)
    quantity = Integer(min_value=1, max_value=MAX_QUANTITY)


class CheckoutBody(Strict):
    """What a shopper posts. Prices are the server's; ``expected_total`` only compares."""

    email = serializers.EmailField(max_length=254, validators=[_no_controls, _no_card_number])
    shipping_address = Address()
    lines = serializers.ListField(child=CartLine(), min_length=1, max_length=MAX_LINES)
    payment_token = Text(
        validators=[_TOKEN, _no_digits_of_a_card],
        help_text="The provider's token for a payment method; never a card number.",
    )
    expected_total = Integer(
        min_value=0,
        max_value=_LARGEST_TOTAL,
        required=False,
        help_text="The total that the shopper saw, in minor units; another one answers 409.",
    )


class Amount(serializers.Serializer[Any]):
    amount = serializers.IntegerField(help_text="Minor units.")
    currency = serializers.CharField(help_text="ISO 4217.")


class Reason(serializers.Serializer[Any]):
    code = serializers.CharField()
    detail = serializers.CharField()


class PlacedLine(serializers.Serializer[Any]):
    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = serializers.IntegerField(help_text="Minor units.")
    line_total = serializers.IntegerField(help_text="Minor units.")


#: The words that shoppers read; the OpenAPI document names the enum by settings.
SHOPPER_STATUSES = [
    "processing",
    "requires_action",
    "completed",
    "reversing",
    "failed",
    "cancelled",
]


class NextAction(serializers.Serializer[Any]):
    """What the shopper has to do with their bank (3-D Secure) before the checkout can go on."""

    type = serializers.ChoiceField(
        ["redirect", "sdk"],
        help_text="`redirect`: send the shopper to `url`. `sdk`: let the provider's script do it, "
        "for Stripe `stripe.handleNextAction({clientSecret})`.",
    )
    url = serializers.CharField(allow_null=True)
    client_secret = serializers.CharField(
        help_text="For the provider's script in the shopper's browser; keep it nowhere."
    )
    expires_at = serializers.DateTimeField(help_text="Then the checkout is undone.")


class Links(serializers.Serializer[Any]):
    self = serializers.CharField()
    cancel = serializers.CharField()
    order = serializers.CharField(allow_null=True)


class CheckoutAnswer(serializers.Serializer[Any]):
    """How a checkout stands, in a shopper's words."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(
        SHOPPER_STATUSES,
        help_text="Never `failed` or `cancelled` while money is held.",
    )
    next_action = NextAction(allow_null=True, help_text="Only while it is `requires_action`.")
    order_number = serializers.CharField(allow_null=True)
    total = Amount()
    charged = serializers.IntegerField(help_text="Minor units taken so far.")
    refunded = serializers.IntegerField(help_text="Minor units given back so far.")
    reason = Reason(allow_null=True)
    lines = PlacedLine(many=True)
    created_at = serializers.DateTimeField()
    links = Links()


class PlacedCheckout(CheckoutAnswer):
    """The answer to POST."""

    order_token = serializers.CharField(
        required=False, help_text="For guests: send it as `Authorization: Order <order_token>`."
    )
