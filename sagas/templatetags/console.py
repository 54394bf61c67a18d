"""How the console writes amounts, moments and tones."""

from datetime import UTC, datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sagas.participant.money import written

register = template.Library()

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
    return written(minor_units, currency)


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
