"""One run of the audit: its row, what it found, what is gone, and who is told."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import Error as DatabaseError
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from sagas import alerts, journal
from sagas.audit import findings, looking, scopes
from sagas.audit.scopes import OUTSIDE, SAGAS, Looks
from sagas.audit.windows import IN_A_ROW, Window
from sagas.auditor import Seen, Severity
from sagas.models import DATABASE, AuditRun, Finding
from sagas.participant import crash

log = structlog.get_logger(__name__)

HEARTBEAT, RECONCILED = "audit", "reconciliation"
#: In ``not_looked_at`` when a run had no time left.
THE_REST = "the rest"
#: New violations that an alert names.
_NAMED = 20

Scope = AuditRun.Scope
#: Those that look at all that sagas claim, and together miss nothing.
WHOLE = (Scope.CHANGED, Scope.EVERYTHING)
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
    window: Window | None = None,
    seconds: float = float("inf"),
) -> AuditRun:
    """Look, write down what was found, close what is gone, and tell people what is new.

    Args:
        scope: everything, what changed since the last run, the outside ledgers within ``window``,
            or ``saga_id`` alone.
        ledger: how far back a look at everything reads the outside ledgers; all by default.
        seconds: how long it may take; it ends with the page that is at hand then.
    """
    begun = time.monotonic()
    with crash.statement("sagas.begin_audit", using=DATABASE):
        row = AuditRun.objects.using(DATABASE).create(
            scope=scope,
            since=window.since if window else None,
            until=window.until if window else None,
        )
    row.refresh_from_db(using=DATABASE)
    this = _Run(row)
    before, now = _marks_before(), _marks_now(row, this.seen)
    ledger_since = now[SAGAS] - ledger if ledger else None
    look = _look(this, saga_id, before, now, ledger_since)
    this.follow(look, until=begun + seconds)
    if not this.is_cut_short:
        _close(this, saga_id)
    if scope == Scope.LEDGER:
        _note_window(row, this.seen, in_a_row=window is not None and window.in_a_row)
    elif not this.is_cut_short:
        row.watermarks = _moved(before, now, this.seen)
    _finish(this, seconds=time.monotonic() - begun)
    return row


def is_running(*, within: float, scopes: Sequence[str] = WHOLE) -> bool:
    """Whether a run of these scopes that began within that many seconds has not ended yet."""
    begun = Q(finished_at=None, started_at__gt=Now() - timedelta(seconds=within))
    return AuditRun.objects.using(DATABASE).filter(begun, scope__in=scopes).exists()


def last_run(*, scopes: Sequence[str] = WHOLE) -> AuditRun | None:
    """Return the last run of these scopes that ended."""
    ended = AuditRun.objects.using(DATABASE).filter(finished_at__isnull=False)
    return ended.filter(scope__in=scopes).first()


def differences() -> QuerySet[Finding]:
    """Return the open findings in which an outside ledger tells another story."""
    return findings.read_from(_ledgers())


def _look(
    this: _Run, saga_id: UUID | None, before: Marks, now: Marks, ledger_since: datetime | None
) -> Looks:
    if saga_id is not None:
        return scopes.one(this.seen, saga_id)
    if this.row.scope == Scope.LEDGER:
        return scopes.ledger(this.seen, run=this.row)
    if this.row.scope == Scope.CHANGED and SAGAS in before:
        return scopes.changed(this.seen, run=this.row, since=before, until=now)
    return scopes.everything(this.seen, run=this.row, ledger_since=ledger_since)


def _marks_before() -> Marks:
    """Return until when each source has been looked at, as the last whole run wrote it down."""
    whole = AuditRun.objects.using(DATABASE).exclude(watermarks={}).filter(scope__in=WHOLE)
    last = whole.filter(finished_at__isnull=False).first()
    marks = last.watermarks if last is not None else {}
    return {source: datetime.fromisoformat(at) for source, at in marks.items()}


def _marks_now(row: AuditRun, seen: Seen) -> Marks:
    marks = {SAGAS: row.started_at, OUTSIDE: row.started_at}
    if row.scope == Scope.LEDGER:  # its window has no more to do with the domains' clocks
        return marks
    for auditor in looking.auditors():
        for source in auditor.sources:
            try:
                marks[source] = auditor.clock(source)
            except DatabaseError:
                seen.silent.add(source)
    return marks


def _moved(before: Marks, now: Marks, seen: Seen) -> dict[str, str]:
    """Return the watermarks, but for silent sources, whose time stands still."""
    silent = seen.silent | ({OUTSIDE} if seen.silent & {*_ledgers()} else set())
    moved = {**before, **{source: at for source, at in now.items() if source not in silent}}
    return {source: at.isoformat() for source, at in moved.items()}


def _note_window(row: AuditRun, seen: Seen, *, in_a_row: bool) -> None:
    """Note up to where the window was looked at, and so where the next one in a row begins."""
    row.reached = seen.reached or row.since
    row.watermarks = {IN_A_ROW: row.reached.isoformat()} if in_a_row and row.reached else {}


def _close(this: _Run, saga_id: UUID | None) -> None:
    among = _looked_at_again(this.row, saga_id)
    findings.close_what_is_gone(among, since=this.row.started_at, silent=sorted(this.seen.silent))


def _looked_at_again(row: AuditRun, saga_id: UUID | None) -> QuerySet[Finding]:
    if saga_id is not None:
        return findings.of_saga(saga_id)
    return differences() if row.scope == Scope.LEDGER else findings.open_findings()


def _ledgers() -> Sequence[str]:
    return [ledger for auditor in looking.auditors() for ledger in auditor.ledgers]


def _finish(this: _Run, *, seconds: float) -> None:
    row, seen = this.row, this.seen
    is_of_ledger = row.scope == Scope.LEDGER
    row.seconds, row.charges, row.payments = round(seconds, 3), seen.charges, seen.payments
    row.not_looked_at = sorted(seen.silent) + ([THE_REST] if this.is_cut_short else [])
    row.violations, row.waiting = findings.counts(differences() if is_of_ledger else None)
    row.finished_at = Now()
    with crash.statement("sagas.finish_audit", using=DATABASE):
        row.save(using=DATABASE)
    row.refresh_from_db(using=DATABASE)
    journal.beat(RECONCILED if is_of_ledger else HEARTBEAT)
    log.info(
        "reconciled" if is_of_ledger else "audited", scope=row.scope, sagas=row.sagas,
        charges=row.charges, payments=row.payments, seconds=row.seconds,
        violations=row.violations, waiting=row.waiting, not_looked_at=row.not_looked_at,
    )  # fmt: skip
    if this.news:
        alerts.audit_found(this.news, this.first_news)
