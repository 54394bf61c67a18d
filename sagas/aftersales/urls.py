"""The part of the API after the sale."""

from django.urls import path

from sagas.aftersales.views import Cancellation, Refund, Refunds

urlpatterns = [
    path("orders/<str:number>/cancellation", Cancellation.as_view(), name="order-cancellation"),
    path("orders/<str:number>/refunds", Refunds.as_view(), name="order-refunds"),
    path("orders/<str:number>/refunds/<uuid:refund_id>", Refund.as_view(), name="order-refund"),
]
