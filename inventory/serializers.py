"""Products as the API shows them."""

from rest_framework import serializers

from inventory.models import Product


class PriceSerializer(serializers.Serializer[Product]):
    """An amount in minor units of a currency."""

    amount = serializers.IntegerField(source="price", help_text="In minor units.")
    currency = serializers.CharField(help_text="ISO 4217 code.")


class ProductSerializer(serializers.ModelSerializer[Product]):
    """A product with its price and the number of units that can be bought now."""

    price = PriceSerializer(source="*", read_only=True)
    available = serializers.IntegerField(source="stock.available", read_only=True, min_value=0)

    class Meta:
        model = Product
        fields = ["sku", "name", "description", "price", "available", "active"]
        read_only_fields = fields
