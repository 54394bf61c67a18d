"""How the dashboard writes lengths of time and ages."""

from datetime import UTC, datetime, timedelta

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sagas.console.charts import duration

register = template.Library()


@register.filter
def length_of(time: timedelta | float | None) -> str:
    """Write a length of time, given as such or in seconds."""
    return duration(time.total_seconds() if isinstance(time, timedelta) else time)


@register.simple_tag
def ago(at: datetime | None, now: datetime) -> SafeString | str:
    """Write how long before ``now`` something was; the title has the moment in UTC."""
    if at is None:
        return "never"
    at = at.astimezone(UTC)
    # data-local: the script that shows moments in the viewer's zone leaves the age alone.
    return format_html(
        '<time datetime="{}" title="{} UTC" data-local="age">{} ago</time>',
        at.isoformat(timespec="seconds"),
        at.strftime("%Y-%m-%d %H:%M:%S"),
        duration(max(0, round((now - at).total_seconds()))),
    )
