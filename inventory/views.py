"""The catalogue, open to everyone: what there is, what it costs, whether it can be bought now."""

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from inventory import services
from inventory.filters import ProductFilter
from inventory.models import DATABASE, SKU_PATTERN, Product
from inventory.serializers import ProductSerializer


class ProductPages(CursorPagination):
    """Pages in the order of the SKUs: stable while products come and go."""

    ordering = "sku"
    page_size = 50

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Refuse a made-up cursor before its position reaches the database."""
        cursor = super().decode_cursor(request)
        if cursor and cursor.position and not SKU_PATTERN.fullmatch(str(cursor.position)):
            raise NotFound(self.invalid_cursor_message)
        return cursor


class ProductList(ListAPIView[Product]):
    """List the products for sale."""

    # Nobody is asked who they are: the catalogue needs no other database than its own.
    authentication_classes = []
    permission_classes = [AllowAny]
    serializer_class = ProductSerializer
    pagination_class = ProductPages
    filterset_class = ProductFilter

    def get_queryset(self) -> QuerySet[Product]:
        """Return the products for sale with their stock."""
        return services.products_for_sale()


class ProductDetail(RetrieveAPIView[Product]):
    """Show one product that is for sale."""

    authentication_classes = []
    permission_classes = [AllowAny]
    serializer_class = ProductSerializer
    filter_backends = []
    queryset = Product.objects.using(DATABASE).none()  # names the model to the API's schema
    lookup_field = "sku"

    def get_object(self) -> Product:
        """Return the product; 404 if it does not exist or is not for sale."""
        product = services.find_product(sku=self.kwargs["sku"])
        if product is None:
            raise NotFound("No such product is for sale.")
        return product
