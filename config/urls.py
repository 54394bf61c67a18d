"""URLs of the API, its documentation, the admin and the probes."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from config.health import healthz, readyz
from config.problem_types import ProblemTypeView
from sagas.aftersales.pages import cancel_page, refund_page
from sagas.checkout.find import find_page

handler400 = "config.problems.bad_request"
handler403 = "config.problems.forbidden"
handler404 = "config.problems.not_found"
handler500 = "config.problems.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="api-docs")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("", include("notifications.urls")),
    path("admin/find/", admin.site.admin_view(find_page), name="find"),
    path(
        "admin/orders/order/<uuid:order_id>/cancel/",
        admin.site.admin_view(cancel_page),
        name="order-cancel-page",
    ),
    path(
        "admin/orders/order/<uuid:order_id>/refund/",
        admin.site.admin_view(refund_page),
        name="order-refund-page",
    ),
    path("admin/", admin.site.urls),
    path(
        "api/v1/",
        include(
            [
                path("schema", SpectacularAPIView.as_view(), name="api-schema"),
                path(
                    "docs",
                    SpectacularSwaggerSplitView.as_view(url_name="api-schema"),
                    name="api-docs",
                ),
                path("problems/<str:code>", ProblemTypeView.as_view(), name="problem-type"),
                path("", include("sagas.checkout.urls")),
                path("", include("sagas.aftersales.urls")),
                path("", include("inventory.urls")),
                path("", include("orders.urls")),
                path("", include("payments.urls")),
            ]
        ),
    ),
]
