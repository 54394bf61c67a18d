"""The orders' part of the API."""

from django.urls import path

from orders.views import OrderDetail, OrderList, OrderTimeline

urlpatterns = [
    path("orders", OrderList.as_view(), name="order-list"),
    path("orders/<str:number>", OrderDetail.as_view(), name="order-detail"),
    path("orders/<str:number>/timeline", OrderTimeline.as_view(), name="order-timeline"),
]
