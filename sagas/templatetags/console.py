"""How the console writes amounts, moments and tones."""

from datetime import datetime

from django import template
from django.utils.safestring import SafeString

from sagas.participant.moments import shown
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
    "waiting": "busy",
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
    return shown(at)


@register.filter
def tone(word: str) -> str:
    """Return the class that colours a state or an outcome; the word itself is shown too."""
    return _TONES.get(word, "busy")
