"""How the console writes amounts, moments and tones."""

from datetime import UTC, datetime
from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

#: Decimals of currencies that do not have two (ISO 4217).
_DECIMALS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "BHD": 3, "KWD": 3, "JOD": 3}

#: State or outcome -> how good that is.
_TONES = {
    "COMPLETE": "good",
    "COMPENSATED": "calm",
    "COMPENSATING": "busy",
    "FAILED": "bad",
    "succeeded": "good",
    "refused": "calm",
    "transient": "busy",
    "in_doubt": "bad",
    "unexpected": "bad",
    "lost": "busy",
    "superseded": "calm",
}


@register.simple_tag
def amount(minor_units: int | None, currency: str = "") -> str:
    """Write an amount as people do, such as ``25.00 EUR``; None is unknown."""
    if minor_units is None:
        return "unknown"
    decimals = _DECIMALS.get(currency, 2)
    return f"{Decimal(minor_units).scaleb(-decimals):,.{decimals}f} {currency}".strip()


@register.simple_tag
def moment(at: datetime | None) -> SafeString | str:
    """Write a moment in UTC; a script shows it in the viewer's zone, the title keeps UTC."""
    if at is None:
        return ""
    at = at.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        at.isoformat(timespec="seconds"),
        at.strftime("%Y-%m-%d %H:%M:%S"),
        at.strftime("%Y-%m-%d %H:%M:%S"),
    )


@register.filter
def tone(word: str) -> str:
    """Return the class that colours a state or an outcome; the word itself is shown too."""
    return _TONES.get(word, "busy")
