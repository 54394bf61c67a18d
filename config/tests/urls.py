"""Views that fail in every way which the API has to answer."""

from typing import Any, NoReturn

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import connections
from django.http import Http404, HttpRequest
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.authentication import TokenAuthentication
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


class Open(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)


class Echo(Open):
    def post(self, request: Request) -> Response:
        return Response(request.data)


class LineSerializer(serializers.Serializer[Any]):
    sku = serializers.CharField()
    quantity = serializers.IntegerField(min_value=1)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["sku"] == "ODD":
            raise serializers.ValidationError("these do not go together", code="odd")
        return attrs


class CartSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField()
    lines = LineSerializer(many=True)
    tags = serializers.ListField(child=serializers.IntegerField(), required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["email"] == "bad@example.com":
            raise serializers.ValidationError("no such customer")
        return attrs


class Cart(Open):
    def get(self, request: Request) -> NoReturn:
        raise exceptions.ValidationError({"available": ["choose"], "__all__": ["too vague"]})

    def post(self, request: Request) -> Response:
        CartSerializer(data=request.data).is_valid(raise_exception=True)
        return Response({})


class PriceChanged(exceptions.APIException):
    status_code = 409
    default_detail = "The total is 1250 EUR now."
    problem_type = "price-changed"
    title = "Another price"
    extra = {"total": {"amount": 1250, "currency": "EUR"}}
    errors = [{"pointer": "#/expected_total", "detail": "was 1200", "code": "changed"}]


class Private(APIView):
    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({})


class Raises(Open):
    """Raises by name."""

    def get(self, request: Request, what: str) -> NoReturn:
        raise {
            "price": PriceChanged(),
            "missing": Http404("No Secret matches the given query."),
            "forbidden": PermissionDenied("of the cellar"),
            "throttled": exceptions.Throttled(wait=7),
            "bug": ZeroDivisionError("of ada@example.com"),
            "suspicious": SuspiciousOperation("odd"),
            "unlisted": exceptions.ValidationError("whole"),
        }[what]


class DatabaseLost(Open):
    """Loses its connection at the first request, and has none at the second."""

    def get(self, request: Request) -> Response:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return Response({})


class Page(Raises):
    renderer_classes = (TemplateHTMLRenderer,)


def plain_bug(request: HttpRequest) -> NoReturn:
    raise ZeroDivisionError


def plain_forbidden(request: HttpRequest) -> NoReturn:
    raise PermissionDenied


def plain_suspicious(request: HttpRequest) -> NoReturn:
    raise SuspiciousOperation


urlpatterns = [
    path("api/echo", Echo.as_view()),
    path("api/cart", Cart.as_view()),
    path("api/private", Private.as_view()),
    path("api/raises/<str:what>", Raises.as_view()),
    path("api/page/<str:what>", Page.as_view()),
    path("api/database-lost", DatabaseLost.as_view()),
    path("api/plain/500", plain_bug),
    path("api/plain/403", plain_forbidden),
    path("api/plain/400", plain_suspicious),
    path("api/plain/csrf", plain_forbidden),
    path("page/csrf", plain_forbidden),
    path("page/500", plain_bug),
    path("page/403", plain_forbidden),
    path("page/400", plain_suspicious),
]
