"""Keeps what was found: one row for as long as it lasts, closed when it is gone."""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now
from django.urls import reverse

from sagas.auditor import Fault, Severity
from sagas.models import DATABASE, Finding
from sagas.participant import crash


def open_findings() -> QuerySet[Finding]:
    """Return what is wrong as far as is known, violations and the most money first."""
    rows = Finding.objects.using(DATABASE).filter(closed_at=None)
    # "violation" comes before "waits".
    return rows.order_by("severity", "-amount", "id")


def keep(faults: Sequence[Fault]) -> list[Finding]:
    """Note that these were seen just now; return the findings that are new."""
    by_key = {_key(fault): fault for fault in faults}
    if not by_key:
        return []
    with crash.committing("sagas.keep_findings", using=DATABASE):
        known = open_findings().filter(key__in=by_key).order_by("pk").select_for_update()
        for finding in known:
            _describe(finding, by_key.pop(finding.key))
        Finding.objects.using(DATABASE).bulk_update(known, _CHANGING)
        # Two runs at once may both find it first: the open key lets one row stand, and one order
        # of keys lets neither wait for the other.
        new = [_describe(Finding(key=key), by_key[key]) for key in sorted(by_key)]
        Finding.objects.using(DATABASE).bulk_create(new, ignore_conflicts=True)
    return new


def close_what_is_gone(among: QuerySet[Finding], *, since: datetime, silent: Sequence[str]) -> int:
    """Close the findings that a look since ``since`` did not see; return how many.

    Args:
        among: those that were looked at again.
        silent: sources that did not answer: what was read from one of them stays open.
    """
    unseen = among.filter(last_seen_at__lt=since)
    for source in silent:
        unseen = unseen.exclude(sources__contains=[source])
    with crash.statement("sagas.close_findings", using=DATABASE):
        return unseen.update(closed_at=Now())


def of_saga(saga_id: UUID) -> QuerySet[Finding]:
    """Return the open findings of one saga."""
    return open_findings().filter(saga_id=saga_id)


def read_from(sources: Sequence[str]) -> QuerySet[Finding]:
    """Return the open findings that were read from one of these sources, among others."""
    named = (Q(sources__contains=[source]) for source in sources)
    return open_findings().filter(reduce(or_, named, Q(pk__in=[])))


def counts(among: QuerySet[Finding] | None = None) -> tuple[int, int]:
    """Return how many violations are open, and how many findings wait for a person.

    Args:
        among: which findings; all that are open by default.
    """
    are_violations = Q(severity=Severity.VIOLATION)
    counted = (open_findings() if among is None else among).aggregate(
        violations=Count("pk", filter=are_violations), waiting=Count("pk", filter=~are_violations)
    )
    return counted["violations"], counted["waiting"]


_CHANGING = ("severity", "what", "amount", "currency", "mend", "url", "sources", "last_seen_at")


def _describe(finding: Finding, fault: Fault) -> Finding:
    finding.saga_id, finding.invariant = fault.saga_id, fault.invariant
    finding.subject, finding.severity = fault.subject[:255], fault.severity
    finding.what, finding.mend = fault.what[:500], fault.mend
    finding.amount, finding.currency = fault.amount, fault.currency
    finding.sources, finding.url = list(fault.sources), _url(fault)[:500]
    finding.last_seen_at = Now()
    return finding


def _key(fault: Fault) -> str:
    return f"{fault.invariant} {fault.saga_id or '-'} {fault.subject}"[:400]


def _url(fault: Fault) -> str:
    if fault.saga_id is not None and fault.mend.is_verb:
        return reverse("admin:sagas_saga_verb", args=[fault.saga_id, fault.mend.value])
    if fault.page or fault.saga_id is None:
        return fault.page
    return reverse("admin:sagas_saga_change", args=[fault.saga_id])
