"""The pages that mails link to."""

from django.urls import path

from notifications.views import unsubscribe

urlpatterns = [path("unsubscribe/<str:token>", unsubscribe, name="unsubscribe")]
