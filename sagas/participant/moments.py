"""Moments as pages show them."""

from datetime import UTC, datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString


def shown(at: datetime | None) -> SafeString | str:
    """Return ``at`` in UTC; ``times.js`` shows it in the viewer's zone, the title keeps UTC."""
    if at is None:
        return ""
    at = at.astimezone(UTC)
    text = at.strftime("%Y-%m-%d %H:%M:%S")
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        at.isoformat(timespec="seconds"),
        text,
        text,
    )
