"""What the pictures of events show: two endpoints, one of which is away, and mails that wait."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.urls import reverse


class _Taker(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


def add_endpoints(nobody_listens_on: int) -> None:
    """Add an endpoint that takes everything, and one where nobody listens."""
    from notifications.models import WebhookEndpoint
    from notifications.webhooks import signing

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kinds = ["order_confirmed", "payment_refunded", "stock_low"]
    endpoints = WebhookEndpoint.objects.using("notifications")
    for port, words in ((server.server_address[1], "ERP"), (nobody_listens_on, "Warehouse")):
        endpoints.create(
            url=f"http://127.0.0.1:{port}/hooks",
            description=words,
            event_types=kinds,
            seed=signing.new_seed(),
        )


def wait_for_mails(until: Callable[[Callable[[], bool]], None]) -> dict[str, str]:
    """Let shoppers wait for products, one of which comes back; return the pages to look at."""
    from inventory import services as inventory
    from notifications import notices
    from notifications.models import (
        InboxEntry,
        Notice,
        NoticeStatus,
        WebhookDelivery,
        WebhookEndpoint,
    )
    from orders.models import Order

    inventory.reset_stock(sku="TEAPOT", available=0)
    for sku, email in (("TEAPOT", "ada@example.org"), ("BOWL", "grace@example.org")):
        notices.subscribe(sku=sku, product_name=sku.title(), email=email)
    inventory.receive_stock(sku="TEAPOT", quantity=4)
    rows = Notice.objects.using("notifications")
    until(lambda: rows.filter(status=NoticeStatus.SENT).exists())
    failing = WebhookDelivery.objects.using("notifications").filter(attempts__gte=1)
    until(lambda: failing.filter(endpoint__description="Warehouse").exists())
    heard = InboxEntry.objects.using("notifications").filter(type="back_in_stock")
    until(heard.exists)
    endpoint = WebhookEndpoint.objects.using("notifications").get(description="Warehouse")
    delivery = failing.filter(endpoint=endpoint).order_by("-attempts")[0]
    order = Order.objects.using("orders").filter(status="CANCELLED").first()
    notice = rows.get(status=NoticeStatus.SENT)
    return {
        "order page": reverse("admin:orders_order_change", args=[order.pk if order else 0]),
        "webhook page": reverse("admin:notifications_webhookendpoint_change", args=[endpoint.pk]),
        "delivery page": reverse("admin:notifications_webhookdelivery_change", args=[delivery.pk]),
        "heard page": reverse("admin:notifications_inboxentry_change", args=[heard[0].pk]),
        "unsubscribe page": "/unsubscribe/" + notices.unsubscribe_url(notice).rpartition("/")[2],
    }
