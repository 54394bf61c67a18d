"""The checkout API: place, look, cancel."""

import re
import time
from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orders.services import DraftMissing
from sagas import journal, operations
from sagas.checkout import auth, intake, problems
from sagas.checkout.cards import has_card_number
from sagas.checkout.serializers import CheckoutAnswer, CheckoutBody, PlacedCheckout
from sagas.checkout.standing import (
    COMPLETED,
    PROCESSING,
    REQUIRES_ACTION,
    REVERSING,
    standing_of,
)
from sagas.models import Saga

#: Seconds after which a client does well to look again.
_RETRY_AFTER = "1"
_POLL_EVERY = 0.05
#: Guests share one scope of keys, so that theirs must be long enough not to be guessed.
_GUEST_KEY_LENGTH = 16
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])", re.IGNORECASE)

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    OpenApiParameter.HEADER,
    required=True,
    description="A new UUID for each new checkout; the same key and body return the same checkout. "
    "A guest's has 16 characters or more.",
    examples=[OpenApiExample("UUID", "0b6a3f0e-6c55-4f5b-9d0e-2f1c8a7d4e13")],
)
_PREFER_HEADER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description="`wait=N`: answer when it is settled, or after N seconds at the latest.",
    examples=[OpenApiExample("up to five seconds", "wait=5")],
)
_ANSWER_HEADERS = [
    OpenApiParameter(name, str, OpenApiParameter.HEADER, response=[201, 202], description=words)
    for name, words in (
        ("Location", "Where to look at the checkout."),
        ("Retry-After", "Seconds after which to look again, while it is not settled."),
        ("Preference-Applied", "How long the request was held, if `Prefer` asked for it."),
    )
]
_CART = OpenApiExample(
    "a guest's cart",
    {
        "email": "ada@example.org",
        "shipping_address": {
            "name": "Ada Byron",
            "line1": "1 Analytical Road",
            "city": "London",
            "postal_code": "N1 1AA",
            "country": "GB",
        },
        "lines": [{"sku": "MUG-BLUE", "quantity": 2}],
        "payment_token": "tok_success",
        "expected_total": 2500,
    },
    request_only=True,
)


class Checkouts(APIView):
    """Place a checkout."""

    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="place_checkout",
        request=CheckoutBody,
        parameters=[KEY_HEADER, _PREFER_HEADER, *_ANSWER_HEADERS],
        responses={
            201: OpenApiResponse(PlacedCheckout, "It has completed."),
            202: OpenApiResponse(PlacedCheckout, "It is accepted; its status says how it stands."),
            409: OpenApiResponse(
                description="The price has changed, or there is too little stock."
            ),
            422: OpenApiResponse(description="The cart cannot be served, or the key was used."),
        },
        examples=[_CART],
        tags=["checkouts"],
    )
    def post(self, request: Request) -> Response:
        """Accept a checkout. It completes, or it is made good."""
        principal = auth.principal_of(request)
        key = key_of(request, is_guest=principal == auth.GUEST)
        body = CheckoutBody(data=request.data)
        body.is_valid(raise_exception=True)
        saga = intake.place(principal=principal, idempotency_key=key, body=body.validated_data)
        return _answer(request, saga, token=principal == auth.GUEST, may_wait=True)


class Checkout(APIView):
    """Look at a checkout."""

    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="get_checkout", responses=CheckoutAnswer, tags=["checkouts"], request=None
    )
    def get(self, request: Request, checkout_id: UUID) -> Response:
        """Return how a checkout of the caller stands."""
        saga = _own(request, checkout_id)
        try:
            return Response(CheckoutAnswer(standing_of(saga)).data)
        except DraftMissing:
            # It came to no order, and what was posted has been purged since.
            raise NotFound from None


class CancelCheckout(APIView):
    """Cancel a checkout."""

    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="cancel_checkout",
        request=None,
        responses={
            202: OpenApiResponse(CheckoutAnswer, "It is being undone, or is undone already."),
            409: OpenApiResponse(description="It is paid, or ended otherwise."),
        },
        tags=["checkouts"],
    )
    def post(self, request: Request, checkout_id: UUID) -> Response:
        """Undo a checkout that is not paid yet; a repeat changes nothing."""
        _own(request, checkout_id)
        try:
            saga = operations.cancel(checkout_id)
        except operations.TooLate as error:
            raise problems.PastThePivot("The checkout can no longer be cancelled.") from error
        return Response(CheckoutAnswer(standing_of(saga)).data, status.HTTP_202_ACCEPTED)


def key_of(request: Request, *, is_guest: bool) -> str:
    """Return the Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), quoted or bare."""
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not key:
        raise problems.KeyMissing("Send an Idempotency-Key header, such as a new UUID.")
    if not _KEY.fullmatch(key):
        raise problems.KeyInvalid("The Idempotency-Key has 1 to 255 visible ASCII characters.")
    if key.isdigit() and has_card_number(key):
        raise problems.KeyInvalid("The Idempotency-Key looks like a card number; send a UUID.")
    if is_guest and len(key) < _GUEST_KEY_LENGTH:
        raise problems.KeyInvalid(
            f"A guest's Idempotency-Key has {_GUEST_KEY_LENGTH} characters or more; send a UUID."
        )
    return key


def _own(request: Request, checkout_id: UUID) -> Saga:
    """Return a checkout of the caller; another's does not exist for them."""
    try:
        saga = journal.read(checkout_id)
    except Saga.DoesNotExist:
        raise NotFound from None
    is_theirs = auth.may_see(request, checkout_id=checkout_id, principal=saga.principal)
    if saga.kind != intake.KIND or not is_theirs:
        raise NotFound
    return saga


def _answer(request: Request, saga: Saga, *, token: bool, may_wait: bool) -> Response:
    answer = standing_of(saga)
    headers = {"Location": reverse("checkout-detail", args=[saga.pk])}
    wait = _wait_of(request)
    if may_wait and wait is not None:
        answer = _wait_for(lambda: standing_of(journal.read(saga.pk)), answer, seconds=wait)
        headers["Preference-Applied"] = f"wait={wait:g}"
    if token:
        answer["order_token"] = auth.make_order_token(saga.pk)
    if answer["status"] in (PROCESSING, REQUIRES_ACTION, REVERSING):
        headers["Retry-After"] = _RETRY_AFTER
    done = answer["status"] == COMPLETED
    code = status.HTTP_201_CREATED if done else status.HTTP_202_ACCEPTED
    return Response(PlacedCheckout(answer).data, code, headers=headers)


def _wait_of(request: Request) -> float | None:
    """Return the seconds that ``Prefer: wait=N`` asks for (RFC 7240), bounded by the settings."""
    found = _WAIT.search(request.headers.get("Prefer", ""))
    return min(float(found[1]), settings.CHECKOUT_MAX_WAIT) if found else None


def _wait_for(
    look: Callable[[], dict[str, object]], answer: dict[str, object], *, seconds: float
) -> dict[str, object]:
    """Look again until the checkout is settled or the time is up."""
    until = time.monotonic() + seconds
    while answer["status"] in (PROCESSING, REVERSING) and time.monotonic() < until:
        time.sleep(_POLL_EVERY)
        answer = look()
    return answer
