"""One run of the audit: its row, what it found, what is gone, and who is told."""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import Error as DatabaseError
from django.db.models import Q
from django.db.models.functions import Now

from sagas import alerts, journal
from sagas.audit import findings, looking, scopes
from sagas.audit.scopes import OUTSIDE, SAGAS, Looks
from sagas.auditor import Seen, Severity
from sagas.models import DATABASE, AuditRun, Finding
from sagas.participant import crash

log = structlog.get_logger(__name__)

HEARTBEAT = "audit"
#: In ``not_looked_at`` when a run had no time left.
THE_REST = "the rest"
#: New violations that an alert names.
_NAMED = 20

Scope = AuditRun.Scope
Marks = Mapping[str, datetime]


@dataclass
class _Run:
    row: AuditRun
    seen: Seen = field(default_factory=Seen)
    #: New violations: how many, and the first of them.
    news: int = 0
    first_news: list[Finding] = field(default_factory=list)
    is_cut_short: bool = False

    def follow(self, look: Looks, *, until: float) -> None:
        """Write down what each page brought, so that memory holds the faults of one only."""
        with closing(look):
            for sagas in look:
                self.row.sagas += sagas
                self._write_down()
                if time.monotonic() > until:
                    self.is_cut_short = True
                    return

    def _write_down(self) -> None:
        kept = findings.keep(self.seen.faults)
        self.seen.faults.clear()
        new = [each for each in kept if each.severity == Severity.VIOLATION]
        self.news += len(new)
        self.first_news += new[: _NAMED - len(self.first_news)]


def run(
    scope: Scope,
    *,
    saga_id: UUID | None = None,
    ledger: timedelta | None = None,
    seconds: float = float("inf"),
) -> AuditRun:
    """Look, write down what was found, close what is gone, and tell people what is new.

    Args:
        scope: everything, what changed since the last run, or ``saga_id`` alone.
        ledger: how far back a look at everything reads the outside ledgers; all by default.
        seconds: how long it may take; it ends with the page that is at hand then.
    """
    begun = time.monotonic()
    with crash.statement("sagas.begin_audit", using=DATABASE):
        row = AuditRun.objects.using(DATABASE).create(scope=scope)
    row.refresh_from_db(using=DATABASE)
    this = _Run(row)
    before, now = _marks_before(), _marks_now(row, this.seen)
    ledger_since = now[SAGAS] - ledger if ledger else None
    look = _look(this, saga_id, before, now, ledger_since)
    this.follow(look, until=begun + seconds)
    if not this.is_cut_short:
        _close(this, saga_id)
        row.watermarks = _moved(before, now, this.seen)
    _finish(this, seconds=time.monotonic() - begun)
    return row


def is_running(*, within: float) -> bool:
    """Whether a run that began within that many seconds has not ended yet."""
    begun = Q(finished_at=None, started_at__gt=Now() - timedelta(seconds=within))
    return AuditRun.objects.using(DATABASE).filter(begun).exclude(scope=Scope.ONE).exists()


def last_run() -> AuditRun | None:
    """Return the last run that ended and looked at more than one saga."""
    ended = AuditRun.objects.using(DATABASE).filter(finished_at__isnull=False)
    return ended.exclude(scope=Scope.ONE).first()


def _look(
    this: _Run, saga_id: UUID | None, before: Marks, now: Marks, ledger_since: datetime | None
) -> Looks:
    if saga_id is not None:
        return scopes.one(this.seen, saga_id)
    if this.row.scope == Scope.CHANGED and SAGAS in before:
        return scopes.changed(this.seen, run=this.row, since=before, until=now)
    return scopes.everything(this.seen, run=this.row, ledger_since=ledger_since)


def _marks_before() -> Marks:
    """Return until when each source has been looked at, as the last whole run wrote it down."""
    whole = AuditRun.objects.using(DATABASE).exclude(watermarks={}).exclude(scope=Scope.ONE)
    last = whole.filter(finished_at__isnull=False).first()
    marks = last.watermarks if last is not None else {}
    return {source: datetime.fromisoformat(at) for source, at in marks.items()}


def _marks_now(row: AuditRun, seen: Seen) -> Marks:
    marks = {SAGAS: row.started_at, OUTSIDE: row.started_at}
    for auditor in looking.auditors():
        for source in auditor.sources:
            try:
                marks[source] = auditor.clock(source)
            except DatabaseError:
                seen.silent.add(source)
    return marks


def _moved(before: Marks, now: Marks, seen: Seen) -> dict[str, str]:
    """Return the watermarks, but for silent sources, whose time stands still."""
    ledgers = {ledger for auditor in looking.auditors() for ledger in auditor.ledgers}
    silent = seen.silent | ({OUTSIDE} if seen.silent & ledgers else set())
    moved = {**before, **{source: at for source, at in now.items() if source not in silent}}
    return {source: at.isoformat() for source, at in moved.items()}


def _close(this: _Run, saga_id: UUID | None) -> None:
    among = findings.open_findings() if saga_id is None else findings.of_saga(saga_id)
    findings.close_what_is_gone(among, since=this.row.started_at, silent=sorted(this.seen.silent))


def _finish(this: _Run, *, seconds: float) -> None:
    row, seen = this.row, this.seen
    row.seconds, row.charges = round(seconds, 3), seen.charges
    row.not_looked_at = sorted(seen.silent) + ([THE_REST] if this.is_cut_short else [])
    row.violations, row.waiting = findings.counts()
    row.finished_at = Now()
    with crash.statement("sagas.finish_audit", using=DATABASE):
        row.save(using=DATABASE)
    row.refresh_from_db(using=DATABASE)
    journal.beat(HEARTBEAT)
    log.info(
        "audited", scope=row.scope, sagas=row.sagas, charges=row.charges, seconds=row.seconds,
        violations=row.violations, waiting=row.waiting, not_looked_at=row.not_looked_at,
    )  # fmt: skip
    if this.news:
        alerts.audit_found(this.news, this.first_news)
