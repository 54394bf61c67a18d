"""The checkouts' part of the API."""

from django.urls import path

from sagas.checkout.back_in_stock import BackInStock
from sagas.checkout.views import CancelCheckout, Checkout, Checkouts

urlpatterns = [
    path("products/<str:sku>/back-in-stock", BackInStock.as_view(), name="back-in-stock"),
    path("checkouts", Checkouts.as_view(), name="checkout-list"),
    path("checkouts/<uuid:checkout_id>", Checkout.as_view(), name="checkout-detail"),
    path("checkouts/<uuid:checkout_id>/cancel", CancelCheckout.as_view(), name="checkout-cancel"),
]
