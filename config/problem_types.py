"""Every type of problem that the API answers with, and the pages that its ``type`` URIs name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.http import Http404
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

#: Where the pages below are mounted; RFC 9457 allows a type URI without a host.
PREFIX: Final = "/api/v1/problems/"


@dataclass(frozen=True)
class ProblemType:
    """What one type means to whoever meets it; its ``status`` is the one that it usually has."""

    status: int
    title: str
    mend: str


PROBLEM_TYPES: Final[Mapping[str, ProblemType]] = {
    # The request itself
    "malformed-body": ProblemType(
        400, "The body is not usable JSON", "Send one JSON document in UTF-8; see errors."
    ),
    "validation-error": ProblemType(
        400, "The request is not valid", "Correct what errors names, one entry for each fault."
    ),
    "bad-request": ProblemType(400, "The request is not usable", "Check the URL and the headers."),
    "body-too-large": ProblemType(
        413, "The body is too large", "Send fewer bytes; max_bytes says how many are taken."
    ),
    "unsupported-media-type": ProblemType(
        415, "The media type is not supported", "Send Content-Type: application/json."
    ),
    "not-acceptable": ProblemType(
        406, "No such representation", "Accept application/json, or leave Accept out."
    ),
    "method-not-allowed": ProblemType(
        405, "The method is not allowed here", "Use a method that the Allow header lists."
    ),
    "throttled": ProblemType(
        429, "Too many requests", "Wait as many seconds as Retry-After says, then repeat."
    ),
    # Who asks for what
    "not-authenticated": ProblemType(
        401, "Nobody is signed in", "Sign in, or send a token as WWW-Authenticate says."
    ),
    "authentication-failed": ProblemType(
        401, "The credentials are not accepted", "Get a new token and repeat."
    ),
    "permission-denied": ProblemType(
        403, "This is not allowed", "Browser sessions need the CSRF token in X-CSRFToken."
    ),
    "not-found": ProblemType(
        404, "Not found", "Nothing is there, or it belongs to someone else; check the URL."
    ),
    # Checkouts
    "idempotency-key-missing": ProblemType(
        400, "The Idempotency-Key header is missing", "Send a new UUID with each new checkout."
    ),
    "idempotency-key-invalid": ProblemType(
        400, "The Idempotency-Key header is not usable", "Send 1 to 255 visible ASCII characters."
    ),
    "idempotency-key-reused": ProblemType(
        422,
        "The Idempotency-Key belongs to another request",
        "Repeat the first request unchanged, or use a new key for a new one.",
    ),
    "unknown-product": ProblemType(
        422, "A product is not for sale", "Take the lines that errors names out of the cart."
    ),
    "mixed-currencies": ProblemType(
        422, "The lines have different currencies", "Order the products of each currency alone."
    ),
    "intake-closed": ProblemType(
        503,
        "No new checkouts just now",
        "Send the same request, with the same key, after Retry-After seconds.",
    ),
    "nothing-to-pay": ProblemType(
        422, "The order costs nothing", "Order at least one product that has a price."
    ),
    "price-changed": ProblemType(
        409, "The price has changed", "Show the shopper the new total and ask again."
    ),
    "insufficient-stock": ProblemType(
        409, "Not enough in stock", "Lower the quantities that errors names."
    ),
    "in-stock": ProblemType(
        409, "The product is in stock", "There is nothing to wait for: it can be bought now."
    ),
    "past-the-pivot": ProblemType(
        409, "The checkout can no longer be cancelled", "It is paid; ask the support for a return."
    ),
    # After the sale
    "order-not-cancellable": ProblemType(
        409, "The order cannot be cancelled", "detail says why; a shipped order is sent back."
    ),
    "not-refundable": ProblemType(
        409, "So much cannot be given back", "Lower what errors names; refundable is what is left."
    ),
    "refund-above-limit": ProblemType(
        403, "The amount is above your limit", "Ask somebody who may give back any amount."
    ),
    # Webhooks
    "webhook-refused": ProblemType(
        400,
        "The webhook is not the provider's",
        "Check the signing secret of the endpoint, and that the body is passed on unchanged.",
    ),
    # Ourselves
    "temporarily-unavailable": ProblemType(
        503, "Temporarily unavailable", "Repeat the same request after Retry-After seconds."
    ),
    "internal-error": ProblemType(
        500, "Something went wrong on our side", "Repeat it once; if it stays, tell the support."
    ),
}


def type_uri(code: str) -> str:
    """Return the stable URI that names the problem type ``code``."""
    return f"{PREFIX}{code}"


def title_of(code: str) -> str:
    """Return the title of ``code``; a code that is not listed is its own title."""
    known = PROBLEM_TYPES.get(code)
    return known.title if known else code.replace("-", " ").capitalize()


class ProblemTypeView(APIView):
    """What a problem type means and what to do about it."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="problem_type",
        tags=["problems"],
        responses=inline_serializer(
            "ProblemType",
            {
                "type": serializers.CharField(help_text="The URI of this page."),
                "title": serializers.CharField(),
                "status": serializers.IntegerField(help_text="The status that it usually has."),
                "mend": serializers.CharField(help_text="What to do about it."),
            },
        ),
    )
    def get(self, request: Request, code: str) -> Response:
        known = PROBLEM_TYPES.get(code)
        if known is None:
            raise Http404
        return Response(
            {
                "type": type_uri(code),
                "title": known.title,
                "status": known.status,
                "mend": known.mend,
            }
        )
