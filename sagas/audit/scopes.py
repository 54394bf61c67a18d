"""What a run looks at: everything, what changed since the last one, a window, or one saga.

Each yields how many sagas it has just looked at; what it found is in ``seen`` by then.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import Error as DatabaseError
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from sagas import journal
from sagas.audit import findings, looking
from sagas.audit.followers import followed_by
from sagas.auditor import Auditor, Seen, Suspects
from sagas.models import DATABASE, AuditRun, Finding, Saga
from sagas.participant.among import PAGE, touched
from sagas.stuck import UNFINISHED

#: The sagas themselves, and all outside ledgers, as sources with a watermark.
SAGAS, OUTSIDE = "sagas", "outside"
#: A transaction has the time of its begin, and is seen at its end: so look back a little further.
OVERLAP = timedelta(minutes=5)
#: So long a cancelled charge may still come through (``payments.late``).
_LEDGER_OVERLAP = timedelta(hours=24)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
#: Sagas that are asked about outside, one call or more each, before the clock is looked at.
_ASKED = 20

Marks = Mapping[str, datetime]
#: How many sagas were looked at since the last one; closed when a run is cut short.
Looks = Generator[int, None, None]


def everything(seen: Seen, *, run: AuditRun, ledger_since: datetime | None) -> Looks:
    """Look at all sagas, all rows of the domains, and the ledgers, from a moment on if given."""
    yield from looking.look_at_everything(seen)
    for auditor in looking.auditors():
        yield from _outside(auditor, seen, since=ledger_since)
        yield from _outside_before(auditor, seen, run)
    yield _totals(seen)


def changed(seen: Seen, *, run: AuditRun, since: Marks, until: Marks) -> Looks:
    """Look at what was written since then, what should have moved, and what was found before.

    Args:
        run: this run; what was found before it began is looked at again.
        since: until when the last run has looked at each source.
        until: the time of each source at the begin of this run.
    """
    began = since[SAGAS] - OVERLAP
    sagas = Saga.objects.using(DATABASE).annotate(saga_id=F("pk"))
    for page in touched(sagas, when=F("updated_at"), since=began, before=until[SAGAS]):
        yield looking.look_at([*{*page, *followed_by(page)}], seen)
    for pages in (_should_have_moved(began), _found_before(run)):
        for page in pages:
            yield looking.look_at(page, seen)
    for auditor in looking.auditors():
        yield from _in_domains(auditor, seen, since=since, until=until)
        last = since.get(OUTSIDE)
        yield from _outside(auditor, seen, since=last - _LEDGER_OVERLAP if last else None)
        yield from _outside_before(auditor, seen, run)
    yield _totals(seen)


def ledger(seen: Seen, *, run: AuditRun) -> Looks:
    """Look at the outside ledgers within the run's window, and at whatever differed before."""
    for auditor in looking.auditors():
        yield from _outside(auditor, seen, since=run.since, before=run.until)
        yield from _outside_before(auditor, seen, run)


def one(seen: Seen, saga_id: UUID) -> Looks:
    """Look at one saga, and ask the outside world about it."""
    known = findings.of_saga(saga_id).exclude(subject="").values_list("subject", flat=True)
    yield looking.look_at([saga_id], seen)
    looking.look_outside([(saga_id, ""), *((saga_id, each) for each in known)], seen)
    yield 0


def _should_have_moved(began: datetime) -> Iterator[Sequence[UUID]]:
    """Yield the sagas that are not settled, or owe a mail, and were not written since."""
    sagas = Saga.objects.using(DATABASE).filter(updated_at__lt=began)
    late = sagas.alias(overdue_since=journal.DUE_AT).filter(overdue_since__lt=Now(), parked="")
    for chosen in (sagas.filter(UNFINISHED), late.exclude(UNFINISHED)):
        yield from _pages(chosen, "pk")


def _found_before(run: AuditRun) -> Iterator[Sequence[UUID]]:
    """Yield the sagas of open findings that this run has not come to yet."""
    yield from _pages(_not_seen_yet(run).filter(saga_id__isnull=False), "saga_id")


def _in_domains(auditor: Auditor, seen: Seen, *, since: Marks, until: Marks) -> Iterator[int]:
    """Look at the sagas whose domains wrote something, but for those that wrote themselves too."""
    written = Saga.objects.using(DATABASE).filter(
        updated_at__gte=since[SAGAS] - OVERLAP, updated_at__lt=until[SAGAS]
    )
    for source in auditor.sources:
        if source not in until:
            continue
        began = since.get(source, _EVER + OVERLAP) - OVERLAP
        try:
            for page in auditor.touched(source, since=began, before=until[source]):
                done = set(written.filter(pk__in=page).values_list("pk", flat=True))
                yield looking.look_at([*{*page} - done], seen)
        except DatabaseError:
            seen.silent.add(source)


def _outside(
    auditor: Auditor, seen: Seen, *, since: datetime | None, before: datetime | None = None
) -> Iterator[int]:
    for suspects in auditor.outside(since=since, before=before, seen=seen):
        yield from _ask(suspects, seen)
        yield 0


def _outside_before(auditor: Auditor, seen: Seen, run: AuditRun) -> Iterator[int]:
    """Ask again about what an outside ledger told another story of, however old it is."""
    for ledger in auditor.ledgers:
        found = _not_seen_yet(run).filter(sources__contains=[ledger])
        known = found.filter(saga_id__isnull=False).values_list("saga_id", "subject")
        yield from _ask([(each, subject) for each, subject in known if each is not None], seen)
        strangers = list(found.filter(saga_id=None).values_list("subject", flat=True))
        auditor.look_at_strangers(strangers, seen)
        yield 0


def _ask(suspects: Suspects, seen: Seen) -> Iterator[int]:
    for n in range(0, len(suspects), _ASKED):
        looking.look_outside(suspects[n : n + _ASKED], seen)
        yield 0


def _totals(seen: Seen) -> int:
    for auditor in looking.auditors():
        found = auditor.totals()
        seen.faults += found.faults
        seen.silent |= found.silent
    return 0


def _not_seen_yet(run: AuditRun) -> QuerySet[Finding]:
    return findings.open_findings().filter(last_seen_at__lt=run.started_at)


def _pages(rows: QuerySet[Saga] | QuerySet[Finding], field: str) -> Iterator[Sequence[UUID]]:
    """Yield one field page by page, through a cursor of the database's own."""
    ids = rows.order_by().values_list(field, flat=True).iterator(chunk_size=PAGE)
    page: list[UUID] = []
    for saga_id in ids:
        page.append(saga_id)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page
