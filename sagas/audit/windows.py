"""The window of time whose charges are reconciled: as somebody wrote it, or as it is due."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils.dateparse import parse_datetime

from sagas.models import DATABASE, AuditRun

#: How far back a window begins at the least: a charge may get its last word a day later.
USUAL = timedelta(hours=48)
#: How far back a window goes that nobody has named, however long the provider was away.
MOST = timedelta(days=31)
#: No payment of ours is older, and a window that begins much earlier is a slip of the pen.
EARLIEST = datetime(2010, 1, 1, tzinfo=UTC)
#: In the watermarks of a run whose window followed the one before.
IN_A_ROW = "ledger"


class BadWindow(Exception):
    """What was written is no window of time; the text names the option and the mend."""

    code = "bad-window"


@dataclass(frozen=True, kw_only=True)
class Window:
    """From ``since`` on and before ``until``, by our clock.

    ``in_a_row`` tells that it begins where the last one of the kind came to.
    """

    since: datetime
    until: datetime
    in_a_row: bool = False


def due(now: datetime) -> Window:
    """Return the window that is due: from where the last one came to, 48 hours at the least.

    It never begins more than 31 days before ``now``; whoever wants more names a window.
    """
    last = (
        AuditRun.objects.using(DATABASE)
        .filter(scope=AuditRun.Scope.LEDGER, watermarks__has_key=IN_A_ROW)
        .first()
    )
    since = now - USUAL
    if last is not None:
        came_to = datetime.fromisoformat(last.watermarks[IN_A_ROW])
        since = max(min(since, came_to), now - MOST)
    return Window(since=since, until=now, in_a_row=True)


def window_of(
    since: str,
    until: str,
    *,
    now: datetime,
    most: timedelta | None = None,
    options: tuple[str, str] = ("--since", "--until"),
) -> Window:
    """Return the window that these two texts name; the one that is due if both are empty.

    Args:
        since, until: ISO 8601, in UTC unless they name a zone; empty for what is usual.
        now: by our clock.
        most: how long it may be; without a limit by default.
        options: what the two are called where they were written.

    Raises:
        BadWindow: a text is no time, or the two are no window.
    """
    if not since and not until:
        return due(now)
    first, second = options
    end = _moment(second, until) if until else now
    begin = _moment(first, since) if since else end - USUAL
    if end > now:
        raise BadWindow(
            f"{second} is in the future ({_written(end)}): leave it out to read up to now"
        )
    if begin < EARLIEST:
        raise BadWindow(
            f"{first} ({_written(begin)}) is before {_written(EARLIEST)}: give a later {first}"
        )
    if begin >= end:
        raise BadWindow(
            f"{first} ({_written(begin)}) is not before {second} ({_written(end)}): give an "
            f"earlier {first}, or a later {second}"
        )
    if most is not None and end - begin > most:
        raise BadWindow(
            f"{first} ({_written(begin)}) is more than {most.days} days before {second} "
            f"({_written(end)}): give a later {first}, or call manage.py reconcile_payments, "
            "which has no limit"
        )
    return Window(since=begin, until=end)


def _moment(option: str, text: str) -> datetime:
    example = "such as 2026-01-31T08:00 or 2026-01-31"
    try:
        # A day alone is its first moment.
        moment = parse_datetime(text) or datetime.fromisoformat(text)
    except ValueError:
        raise BadWindow(f"{option} is no time: {text!r}; write ISO 8601, {example}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
