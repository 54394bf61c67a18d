"""How sagas are looked at while they run: first for what is suspect, then again, between two looks
at the saga's row.

The first look reads what the rows claim, then the domains: an effect comes before the claim of
it, so that most of what is read fits whenever it is read. What does not fit may be wrong, or
may have moved between the two reads. So every suspect is looked at a second time, and its row
once more after that: if the revision has moved, it was alive, and is left to the next run; if
it has not, the domains were read while the row said just this, and the fault is real.
"""

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from django.conf import settings

from sagas import registry
from sagas.audit import claims, rules
from sagas.audit.claims import Row
from sagas.audit.readers import read_ahead
from sagas.auditor import Auditor, Claim, Seen, Suspects
from sagas.participant.among import NIL, PAGE, Among, Crowded, SagaKey

Look = tuple[Mapping[SagaKey, Row], Seen]


def auditors() -> Sequence[Auditor]:
    """Return the auditor of each kind of saga that names one."""
    named = [registry.newest(kind).auditor for kind in settings.SAGAS]
    return [auditor for auditor in named if auditor is not None]


def look_at_everything(seen: Seen) -> Iterator[int]:
    """Look at all sagas, and at all rows of the domains, page by page of saga ids.

    Yields:
        How many sagas each page had; its faults are in ``seen`` by then.
    """
    with read_ahead(_first_looks, _pages()) as looks:
        for page in looks:
            yield sum(_look_again(rows, found, seen) for rows, found in page)


def look_at(saga_ids: Sequence[UUID], seen: Seen) -> int:
    """Look at these sagas; return how many of them there are."""
    pages = (saga_ids[n : n + PAGE] for n in range(0, len(saga_ids), PAGE))
    looks = (first_look(Among(ids=tuple(page))) for page in pages)
    return sum(_look_again(rows, found, seen) for rows, found in looks)


def look_outside(suspects: Suspects, seen: Seen) -> None:
    """Let the outside world say how these stand, between two looks at their rows."""
    ids = [saga_id for saga_id, _ in suspects]
    rows = claims.read_rows(Among(ids=tuple(ids)))
    for auditor in auditors():
        found = auditor.look_outside(_claims_of(rows), suspects)
        _keep_what_stood_still(found, rows, seen)


def first_look(among: Among) -> Look:
    """Return the rows among these, and all that does not fit at first sight.

    Raises:
        Crowded: the range holds more rows than are read at once.
    """
    rows = claims.read_rows(among)
    found = Seen()
    found.faults += rules.row_faults(rows)
    found.faults += rules.history_faults(rows, claims.read_history(among))
    for auditor in auditors():
        said = auditor.look(_claims_of(rows), among)
        found.faults += said.faults
        found.silent |= said.silent
    return rows, found


def second_look(saga_ids: Sequence[UUID], seen: Seen) -> None:
    """Look again at what is suspect, and keep what is wrong with rows that did not move."""
    rows, found = first_look(Among(ids=tuple(saga_ids)))
    _keep_what_stood_still(found, rows, seen)


def _pages() -> Iterator[Among]:
    """Yield ranges that are all ids together, each with a page of sagas."""
    after, is_last = NIL, False
    while not is_last:
        page, is_last = claims.next_page(after)
        yield page
        after = page.upto


def _first_looks(among: Among) -> list[Look]:
    """Look at a range, or at its halves if it is too crowded."""
    try:
        return [first_look(among)]
    except Crowded:
        return [look for half in among.halves() for look in _first_looks(half)]


def _look_again(rows: Mapping[SagaKey, Row], found: Seen, seen: Seen) -> int:
    """Look a second time at what is suspect; return how many sagas there were."""
    seen.silent |= found.silent
    suspects = list({fault.saga_id for fault in found.faults if fault.saga_id is not None})
    for n in range(0, len(suspects), PAGE):
        second_look(suspects[n : n + PAGE], seen)
    return len(rows)


def _keep_what_stood_still(found: Seen, rows: Mapping[SagaKey, Row], seen: Seen) -> None:
    """Guard: a fault counts only if its saga's row did not move while it was looked at."""
    seen.silent |= found.silent
    suspects = [fault.saga_id for fault in found.faults if fault.saga_id is not None]
    by_now = claims.revisions(suspects)
    for fault in found.faults:
        row = rows.get(str(fault.saga_id))
        before = row.claim.revision if row else None
        if fault.saga_id is None or by_now.get(fault.saga_id) == before:
            seen.faults.append(fault)


def _claims_of(rows: Mapping[SagaKey, Row]) -> Mapping[SagaKey, Claim]:
    return {saga_id: row.claim for saga_id, row in rows.items()}
