"""What the mails say: subject, text and HTML from what the saga's step hands over."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from notifications.delivery import Mail, sender_domain
from notifications.models import Kind, Notice, Topic
from notifications.money import format_money

#: Why a checkout was undone -> what to tell the shopper. Any other code gets _NO_REASON.
_REASONS = {
    "out-of-stock": (
        "Someone else was faster: an item of your order sold out while we were reserving it."
    ),
    "card-declined": "Your card was declined. Your bank can tell you why.",
    "deadline": "We could not finish it in time, so we stopped rather than keep you waiting.",
    "cancelled": "You asked us to cancel it.",
    "operator": "Our staff cancelled it.",
}
_NO_REASON = "A technical problem on our side kept us from finishing it."

_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A mail's words."""

    subject: str
    text: str
    html: str


def render_confirmation(context: Mapping[str, Any]) -> Rendered:
    """Render the mail that an order is confirmed.

    Args:
        context: ``number``, ``name`` (the shopper's), ``lines`` (of ``name``, ``quantity`` and
            ``line_total``), ``total``, ``currency`` (ISO 4217), ``address`` (lines of text);
            amounts in minor units.
    """
    currency = context["currency"]
    lines = [
        {
            "name": _one_line(line["name"]),
            "quantity": line["quantity"],
            "line_total": format_money(line["line_total"], currency),
        }
        for line in context["lines"]
    ]
    number = _one_line(context["number"])
    words = {
        "name": _one_line(context["name"]),
        "number": number,
        "lines": lines,
        "total": format_money(context["total"], currency),
        "address": [_one_line(part) for part in context["address"]],
    }
    return _render(Kind.CONFIRMATION, f"Your order {number} is confirmed", words)


def render_apology(context: Mapping[str, Any]) -> Rendered:
    """Render the mail that a checkout was undone, why, and what became of the money.

    Args:
        context: ``name`` (the shopper's), ``reason`` (kebab-case code), ``refunded`` (minor
            units; 0 means that nothing was charged), ``currency`` (ISO 4217).
    """
    refunded = context["refunded"]
    words = {
        "name": _one_line(context["name"]),
        "reason": _REASONS.get(context["reason"], _NO_REASON),
        "refunded": format_money(refunded, context["currency"]) if refunded else "",
    }
    return _render(Kind.APOLOGY, "Your order could not be completed", words)


def render_cancellation(context: Mapping[str, Any]) -> Rendered:
    """Render the mail that an order is cancelled and paid back.

    Args:
        context: ``number``, ``name`` (the shopper's), ``refunded`` (minor units), ``currency``.
    """
    number = _one_line(context["number"])
    words = {
        "name": _one_line(context["name"]),
        "number": number,
        "refunded": format_money(context["refunded"], context["currency"]),
    }
    return _render(Kind.CANCELLATION, f"Your order {number} is cancelled", words)


def render_refund(context: Mapping[str, Any]) -> Rendered:
    """Render the mail that a part of an order is paid back.

    Args:
        context: as ``render_cancellation``, and ``lines`` (of ``name`` and ``quantity``).
    """
    number = _one_line(context["number"])
    refunded = format_money(context["refunded"], context["currency"])
    words = {
        "name": _one_line(context["name"]),
        "number": number,
        "refunded": refunded,
        "lines": [
            {"name": _one_line(line["name"]), "quantity": line["quantity"]}
            for line in context["lines"]
        ],
    }
    return _render(Kind.REFUND, f"{refunded} of your order {number} is refunded", words)


def render_notice(notice: Notice, unsubscribe_url: str) -> Mail:
    """Render a mail about a product: that it is back, or for staff that it runs low.

    Args:
        unsubscribe_url: where the recipient leaves; mails to staff do not have it.
    """
    is_back = notice.topic == Topic.BACK_IN_STOCK
    product = _one_line(notice.product_name) or notice.sku
    words = {
        "product": product,
        "sku": notice.sku,
        "available": notice.available,
        "unsubscribe_url": unsubscribe_url,
    }
    subject = f"{product} is back in stock" if is_back else f"{product} is running low"
    said = _render(notice.topic, subject, words)
    return Mail(
        recipient=notice.recipient,
        subject=said.subject,
        text=said.text,
        html=said.html,
        message_id=f"<{notice.local_part}@{sender_domain()}>",
        unsubscribe_url=unsubscribe_url if is_back else "",
    )


def _render(kind: str, subject: str, words: Mapping[str, Any]) -> Rendered:
    shop = _one_line(settings.SHOP_NAME)
    subject = f"{subject} - {shop}"
    context = {**words, "subject": subject, "shop": shop, "support": settings.SHOP_SUPPORT_EMAIL}
    return Rendered(
        subject=subject,
        text=render_to_string(f"notifications/{kind}.txt", context).strip() + "\n",
        html=render_to_string(f"notifications/{kind}.html", context),
    )


def _one_line(text: str) -> str:
    """Keep a shopper's text from forging lines: white space and controls become one space."""
    return _UNPRINTABLE.sub(" ", text).strip()
