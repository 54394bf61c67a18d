"""Ask for a mail when a product is back: what the catalogue knows, and whom to write to."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inventory import services as inventory
from inventory.models import Product
from notifications import notices
from notifications.delivery import MailRefused
from sagas.checkout import problems
from sagas.checkout.serializers import Strict


class WantedBody(Strict):
    """Whom to write to."""

    email = serializers.EmailField(max_length=254)


class WantedAnswer(serializers.Serializer[dict[str, str]]):
    """The same whether it was asked for before or not: who waits for what is nobody's business."""

    sku = serializers.CharField()
    status = serializers.CharField(help_text="`waiting`")


class BackInStock(APIView):
    """Ask for one mail when a product is back in stock."""

    # Nobody is asked who they are: the address is all that is needed.
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="want_back_in_stock",
        request=WantedBody,
        responses={202: WantedAnswer, 409: OpenApiResponse(description="It is in stock.")},
        tags=["products"],
    )
    def post(self, request: Request, sku: str) -> Response:
        """Keep the address until the product is back; a repeat changes nothing."""
        body = WantedBody(data=request.data)
        body.is_valid(raise_exception=True)
        product = _product(sku)
        try:
            notice_id = notices.subscribe(
                sku=sku, product_name=product.name, email=body.validated_data["email"]
            )
        except MailRefused:
            raise serializers.ValidationError({"email": ["Mail cannot be sent there."]}) from None
        # Looked at after the address is kept: a product that comes back in between is not missed.
        if _product(sku).stock.available > 0:
            notices.withdraw(notice_id=notice_id)
            raise problems.InStock("The product can be bought now.")
        return Response(
            WantedAnswer({"sku": sku, "status": "waiting"}).data, status.HTTP_202_ACCEPTED
        )


def _product(sku: str) -> Product:
    product = inventory.find_product(sku=sku)
    if product is None:
        raise NotFound("No such product is for sale.")
    return product
