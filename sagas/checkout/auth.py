"""Who asks: a signed-in shopper, or a guest who shows the signed token of one order."""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core import signing
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

_SALT = "makegood.order-token"
_KEYWORD = "Order"
GUEST = "guest"


@dataclass(frozen=True)
class OrderToken:
    """What a guest's token proves: the right to see and cancel one checkout."""

    checkout_id: UUID


def make_order_token(checkout_id: UUID) -> str:
    """Return a signed token for the guest who placed ``checkout_id``."""
    return signing.TimestampSigner(salt=_SALT).sign(checkout_id.hex)


def read_order_token(token: str) -> OrderToken:
    """Return what ``token`` proves; signing.BadSignature if it proves nothing any more."""
    signed = signing.TimestampSigner(salt=_SALT)
    return OrderToken(UUID(hex=signed.unsign(token, max_age=settings.ORDER_TOKEN_AGE)))


def principal_of(request: Request) -> str:
    """Return the pseudonymous id of the caller, to whom idempotency keys and orders belong."""
    return f"user:{request.user.pk}" if request.user and request.user.is_authenticated else GUEST


def may_see(request: Request, *, checkout_id: UUID, principal: str) -> bool:
    """Tell whether a checkout of ``principal`` is the caller's own."""
    if isinstance(request.auth, OrderToken):
        return request.auth.checkout_id == checkout_id
    return principal != GUEST and principal == principal_of(request)


class OrderTokenAuthentication(BaseAuthentication):
    """``Authorization: Order <token>``; the caller stays anonymous, the token is their proof."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, OrderToken] | None:
        """Return the token's proof, or None when the header speaks of something else."""
        keyword, *rest = get_authorization_header(request).split() or [b""]
        if keyword.lower() != _KEYWORD.lower().encode():
            return None
        try:
            (token,) = rest
            return AnonymousUser(), read_order_token(token.decode("ascii"))
        except (ValueError, signing.BadSignature) as error:
            raise AuthenticationFailed("The order token is not valid (any more).") from error

    def authenticate_header(self, request: Request) -> str:
        """Return what a 401 asks for."""
        return _KEYWORD


class OrderTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes the header in the OpenAPI document."""

    target_class = OrderTokenAuthentication
    name = "orderToken"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Return the scheme as OpenAPI says it."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Order <order_token>`, for guests; the token is in the answer to POST.",
        }
