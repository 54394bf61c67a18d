"""The catalogue's part of the API."""

from django.urls import path

from inventory.views import ProductDetail, ProductList

urlpatterns = [
    path("products", ProductList.as_view(), name="product-list"),
    path("products/<str:sku>", ProductDetail.as_view(), name="product-detail"),
]
