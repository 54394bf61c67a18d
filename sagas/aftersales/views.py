"""The API after the sale: shoppers cancel their order, staff give a part of one back."""

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orders import services as orders
from orders.models import Order
from orders.views import IsShopper, order_of_caller
from sagas import journal
from sagas.aftersales import intake
from sagas.aftersales.intake import Wanted
from sagas.aftersales.serializers import CancellationAnswer, RefundAnswer, RefundBody
from sagas.aftersales.standing import cancellation_standing, refund_standing
from sagas.checkout.auth import principal_of
from sagas.checkout.views import KEY_HEADER, key_of
from sagas.models import Saga

_LOCATION = OpenApiParameter(
    "Location", str, OpenApiParameter.HEADER, response=[202], description="Where to look at it."
)
_FORBIDDEN = OpenApiResponse(description="The permission is missing, or the amount is too high.")


class MayRefund(BasePermission):
    """Staff who may give a part of an order back."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the caller is one of them."""
        return bool(request.user and request.user.has_perm(intake.MAY_REFUND))


class Cancellation(APIView):
    """The cancellation of one of the caller's orders."""

    permission_classes = [IsShopper]

    @extend_schema(
        operation_id="cancel_order",
        request=None,
        parameters=[_LOCATION],
        responses={
            202: OpenApiResponse(CancellationAnswer, "It is being cancelled, or is already."),
            409: OpenApiResponse(description="It is shipped, or not paid yet."),
        },
        tags=["orders"],
    )
    def post(self, request: Request, number: str) -> Response:
        """Cancel a paid order that is not shipped, and give all of the money back.

        A repeat changes nothing and says how it stands.
        """
        order = order_of_caller(request, number)
        answer = cancellation_standing(intake.cancel(order), order)
        headers = {"Location": answer["links"]["self"]}
        return Response(CancellationAnswer(answer).data, status.HTTP_202_ACCEPTED, headers=headers)

    @extend_schema(operation_id="get_cancellation", responses=CancellationAnswer, tags=["orders"])
    def get(self, request: Request, number: str) -> Response:
        """Return how the cancellation of an order stands."""
        order = order_of_caller(request, number)
        saga = intake.cancellation_of(order)
        if saga is None:
            raise NotFound("Nobody has asked to cancel this order.")
        return Response(CancellationAnswer(cancellation_standing(saga, order)).data)


class Refunds(APIView):
    """The refunds of parts of one order, for staff."""

    permission_classes = [MayRefund]

    @extend_schema(
        operation_id="refund_order",
        request=RefundBody,
        parameters=[KEY_HEADER, _LOCATION],
        responses={
            202: OpenApiResponse(RefundAnswer, "It is accepted; its status says how it stands."),
            403: _FORBIDDEN,
            409: OpenApiResponse(description="So much, or so many units, are not left."),
            422: OpenApiResponse(description="The key belongs to another request."),
        },
        tags=["orders"],
    )
    def post(self, request: Request, number: str) -> Response:
        """Give a part of an order back, by lines, by an amount, or lines for another amount."""
        order = _order(number)
        key = key_of(request, is_guest=False)
        body = RefundBody(data=request.data)
        body.is_valid(raise_exception=True)
        saga = intake.refund(
            order,
            Wanted(**body.validated_data),
            principal=principal_of(request),
            idempotency_key=key,
            limit=intake.limit_of(request.user),
        )
        answer = refund_standing(saga, order)
        headers = {"Location": answer["links"]["self"]}
        return Response(RefundAnswer(answer).data, status.HTTP_202_ACCEPTED, headers=headers)

    @extend_schema(
        operation_id="list_refunds",
        responses={200: RefundAnswer(many=True), 403: _FORBIDDEN},
        tags=["orders"],
    )
    def get(self, request: Request, number: str) -> Response:
        """List the refunds of parts of an order, the newest first."""
        order = _order(number)
        answers = [refund_standing(saga, order) for saga in intake.returns_of(order)]
        return Response(RefundAnswer(answers, many=True).data)


class Refund(APIView):
    """One refund of a part of an order, for staff."""

    permission_classes = [MayRefund]

    @extend_schema(
        operation_id="get_refund",
        responses={200: RefundAnswer, 403: _FORBIDDEN},
        tags=["orders"],
    )
    def get(self, request: Request, number: str, refund_id: UUID) -> Response:
        """Return how a refund stands."""
        order = _order(number)
        try:
            saga = journal.read(refund_id)
        except Saga.DoesNotExist:
            raise NotFound from None
        if saga.kind != intake.RETURN or saga.follows != order.saga_id:
            raise NotFound
        return Response(RefundAnswer(refund_standing(saga, order)).data)


def _order(number: str) -> Order:
    """Return any order by its number, for staff."""
    order = None
    if orders.NUMBER_PATTERN.fullmatch(number):
        order = orders.all_orders().filter(number=number).first()
    if order is None:
        raise NotFound("There is no such order.")
    return order
