"""The checkouts' part of the API."""

from django.urls import path

from sagas.checkout.views import CancelCheckout, Checkout, Checkouts

urlpatterns = [
    path("checkouts", Checkouts.as_view(), name="checkout-list"),
    path("checkouts/<uuid:checkout_id>", Checkout.as_view(), name="checkout-detail"),
    path("checkouts/<uuid:checkout_id>/cancel", CancelCheckout.as_view(), name="checkout-cancel"),
]
