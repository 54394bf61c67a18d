"""The payments' part of the API."""

from django.urls import path

from payments.views import PaymentWebhook

urlpatterns = [
    path("webhooks/payments/<str:provider>", PaymentWebhook.as_view(), name="payment-webhook"),
]
