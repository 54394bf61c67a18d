"""How the admin looks and what its sidebar offers (django-unfold)."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _link(title: str, icon: str, page: str, permission: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{page}"),
        "permission": lambda request: request.user.has_perm(permission),
    }


def colours_by_file(request: HttpRequest) -> dict[str, Any]:
    """Return the context that takes Unfold's inline style out of its pages.

    The colours stand in ``console/theme.css``, so that the policy can forbid inline styles.
    """
    return {"colors": None}


_SAGA = "sagas.view_saga"
#: Offered only where the setting allows faults to be staged.
_STAGING_CHAOS = {
    **_link("Staging chaos", "bolt", "sagas_chaos", _SAGA),
    "permission": "sagas.console.chaos_view.is_offered",
}
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Makegood",
    "SITE_HEADER": "Makegood",
    "SITE_SUBHEADER": "Checkouts, made good",
    "SITE_SYMBOL": "published_with_changes",
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("console/favicon.svg"),
        }
    ],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "GLOBAL_CALLBACK": "config.admin_theme.colours_by_file",
    "DASHBOARD_CALLBACK": "sagas.console.dashboard.fill",
    "ENVIRONMENT": "sagas.console.banner.environment",
    "STYLES": [
        lambda request: static("console/theme.css"),
        lambda request: static("console/console.css"),
    ],
    "SCRIPTS": [lambda request: static("console/unfold.js")],
    "SIDEBAR": {
        "navigation": [
            {
                "title": "Checkouts",
                "items": [
                    _link("Dashboard", "dashboard", "index", _SAGA),
                    _link("Sagas", "route", "sagas_saga_changelist", _SAGA),
                    _link("Needs a human", "front_hand", "sagas_saga_needs_a_human", _SAGA),
                    _link("Bulk runs", "stacks", "sagas_saga_bulk_list", _SAGA),
                    _link("Audit", "fact_check", "sagas_saga_audit", "sagas.view_finding"),
                    _link("Events", "campaign", "sagas_saga_events", _SAGA),
                    _link("Hold back", "pause_circle", "sagas_saga_switches", _SAGA),
                    _STAGING_CHAOS,
                ],
            },
            {
                "title": "Shop",
                "items": [
                    _link("Orders", "receipt_long", "orders_order_changelist", "orders.view_order"),
                    _link(
                        "Payments",
                        "credit_card",
                        "payments_payment_changelist",
                        "payments.view_payment",
                    ),
                    _link(
                        "Reservations",
                        "inventory",
                        "inventory_reservation_changelist",
                        "inventory.view_reservation",
                    ),
                    _link(
                        "Mails",
                        "mail",
                        "notifications_message_changelist",
                        "notifications.view_message",
                    ),
                    _link(
                        "Mails about products",
                        "notifications",
                        "notifications_notice_changelist",
                        "notifications.view_notice",
                    ),
                    _link(
                        "Webhooks",
                        "webhook",
                        "notifications_webhookendpoint_changelist",
                        "notifications.view_webhookendpoint",
                    ),
                    _link(
                        "Webhook deliveries",
                        "outbound",
                        "notifications_webhookdelivery_changelist",
                        "notifications.view_webhookdelivery",
                    ),
                    _link(
                        "Products", "sell", "inventory_product_changelist", "inventory.view_product"
                    ),
                    _link(
                        "Stock", "warehouse", "inventory_stock_changelist", "inventory.view_stock"
                    ),
                ],
            },
            {
                "title": "Records",
                "items": [
                    _link("Attempts", "history", "sagas_steprun_changelist", "sagas.view_steprun"),
                    _link(
                        "Operator log",
                        "badge",
                        "sagas_operatoraction_changelist",
                        "sagas.view_operatoraction",
                    ),
                    _link(
                        "Periodic tasks",
                        "schedule",
                        "django_celery_beat_periodictask_changelist",
                        "django_celery_beat.view_periodictask",
                    ),
                ],
            },
            {
                "title": "Staff",
                "items": [
                    _link("Users", "person", "auth_user_changelist", "auth.view_user"),
                    _link("Groups", "group", "auth_group_changelist", "auth.view_group"),
                ],
            },
        ],
    },
}
