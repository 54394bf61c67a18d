"""Who works: the workers that answer, the queues they serve, and the messages that wait."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django_celery_beat.models import PeriodicTask

from sagas.backlog import errors_of, messages_in
from sagas.models import DATABASE, Heartbeat
from sagas.recovery import HEARTBEAT, recover_task

log = structlog.get_logger(__name__)

#: Seconds to connect, and in which a worker has to answer.
_CONNECT, _ANSWER = 2, 0.5
#: Seconds for which an answer serves all viewers: just under what pages wait between two looks.
_KEPT = 9
_KEY = "console:crew"
#: Ticks that recovery may miss, and the seconds below which it is never called late; as /readyz.
_TICKS_MISSED, _LATE_AT_THE_EARLIEST = 6, 30
#: celery-beat notes its runs in the database every three minutes only.
_BEAT_NOTES_WITHIN = timedelta(minutes=4)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One queue: how many messages wait in it, and how many workers serve it."""

    name: str
    waiting: int
    workers: int


@dataclass(frozen=True, kw_only=True)
class Crew:
    """What broker and workers said; both sequences are empty if the broker did not answer."""

    broker_answers: bool
    workers: Sequence[str] = ()
    queues: Sequence[Line] = ()

    @property
    def unserved(self) -> Sequence[str]:
        """The queues that no worker serves."""
        return [line.name for line in self.queues if not line.workers]


def remembered() -> Crew | None:
    """Return the answer of the last seconds without asking; None if there is none."""
    found: Crew | None = cache.get(_KEY)
    return found


def crew() -> Crew:
    """Ask the broker and the workers, or return their answer of the last seconds.

    Takes as long as a worker may take to answer: who does not answer in time is not counted.
    """
    found = remembered()
    if found is None:
        found = _ask()
        cache.set(_KEY, found, _KEPT)
    return found


def _ask() -> Crew:
    with current_app.connection_for_read(connect_timeout=_CONNECT) as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=_CONNECT)
            served = _served(connection)
            queues = [_line(connection, name, served) for name in settings.CELERY_QUEUES]
        except errors_of(connection) as error:
            log.warning("broker_not_asked", error=type(error).__name__)
            return Crew(broker_answers=False)
    return Crew(broker_answers=True, workers=sorted(served), queues=queues)


def _served(connection: Any) -> Mapping[str, Sequence[str]]:
    """Return worker -> the queues it serves, of the workers that answer."""
    inspect = current_app.control.inspect(timeout=_ANSWER, connection=connection)
    answers = inspect.active_queues() or {}
    return {worker: [queue["name"] for queue in queues] for worker, queues in answers.items()}


def _line(connection: Any, name: str, served: Mapping[str, Sequence[str]]) -> Line:
    workers = sum(name in queues for queues in served.values())
    return Line(name=name, waiting=messages_in(connection, name), workers=workers)


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """Whether the recovery ticks, by which everything that waits goes on."""

    recovered_at: datetime | None
    beat_at: datetime | None
    is_on: bool
    now: datetime

    @property
    def is_late(self) -> bool:
        """Whether recovery has not run for several of its intervals."""
        limit = max(_TICKS_MISSED * settings.SAGA_RECOVERY_INTERVAL, _LATE_AT_THE_EARLIEST)
        return self.recovered_at is None or self.now - self.recovered_at > timedelta(seconds=limit)

    @property
    def beat_was_noted(self) -> bool:
        """Whether celery-beat has noted lately that it runs."""
        return self.beat_at is not None and self.now - self.beat_at < _BEAT_NOTES_WITHIN

    @property
    def fault(self) -> str:
        """What is wrong, in words; empty when all is well."""
        if not self.is_on:
            return "Recovery is switched off in the periodic tasks."
        if not self.is_late:
            return ""
        if self.beat_was_noted:
            return "Recovery does not run: no worker takes its messages, or celery-beat is down."
        return "Recovery does not run: celery-beat seems to be down."


def pulse(*, now: datetime) -> Pulse:
    """Return when recovery and celery-beat last gave a sign of life."""
    beats = Heartbeat.objects.using(DATABASE).filter(name=HEARTBEAT)
    jobs = PeriodicTask.objects.using(DATABASE).filter(task=recover_task.name, enabled=True)
    noted = list(jobs.values_list("last_run_at", flat=True))
    return Pulse(
        recovered_at=beats.values_list("beat_at", flat=True).first(),
        beat_at=max(filter(None, noted), default=None),
        is_on=bool(noted),
        now=now,
    )
