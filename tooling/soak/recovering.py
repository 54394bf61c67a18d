"""How long a kill held up the checkouts that the killed process had in hand."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from tooling.soak.books import Books

#: Attempts that never said how they ended, or whose word came too late to count.
_NO_PROGRESS = ("lost", "superseded")


@dataclass(frozen=True, kw_only=True)
class Kill:
    """A killed process: when, in wall-clock seconds, and the epochs of the sagas it held."""

    number: int
    at: float
    held: Mapping[UUID, int]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """An attempt that said how it ended: in which epoch, and when, in wall-clock seconds."""

    epoch: int
    at: float


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """A saga that a kill held up, until its next recorded progress; None if there was none."""

    kill: int
    saga_id: UUID
    seconds: float | None


def times_to_recover(
    kills: Iterable[Kill],
    history: Mapping[UUID, Sequence[Progress]],
    resting: Mapping[UUID, bool],
) -> Sequence[Recovered]:
    """Return the time from each kill to the next progress of each saga that it held up.

    A saga whose next progress came in the epoch that it had was not held up: another process
    was on it, or the broker handed its message on. Nor was one that had come further by then: what
    the process held was a message of before. One without progress that is at rest had
    been finished before the kill. Each epoch of a saga counts once, from its first kill: what a
    dead worker had in hand stays in the broker's books for a while, where the next kill, which has
    not held it up, finds it again.

    Args:
        kills: with the sagas that the killed processes held.
        history: each saga's progress, oldest first.
        resting: whether each saga is at rest now.
    """
    found, known = [], set[tuple[UUID, int]]()
    for kill in sorted(kills, key=lambda each: each.at):
        for saga_id, epoch in kill.held.items():
            if (saga_id, epoch) in known:
                continue
            known.add((saga_id, epoch))
            told = history.get(saga_id, ())
            if any(p.at <= kill.at and p.epoch > epoch for p in told):
                continue
            later = next((p for p in told if p.at > kill.at), None)
            if later is None and resting.get(saga_id, True):
                continue
            if later is not None and later.epoch <= epoch:
                continue
            seconds = None if later is None else later.at - kill.at
            found.append(Recovered(kill=kill.number, saga_id=saga_id, seconds=seconds))
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that ``share`` of all are not above (nearest rank); 0 of none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    rank = max(1, -(-round(share * len(ordered) * 1_000_000) // 1_000_000))
    return ordered[rank - 1]


def progress_of(books: Books) -> Mapping[UUID, Sequence[Progress]]:
    """Read the progress of every saga from the control plane's history."""
    rows = books.rows(
        "default",
        "SELECT saga_id, epoch, extract(epoch FROM recorded_at)::float8 AS at "
        "FROM sagas_steprun WHERE outcome <> ALL(%s) ORDER BY id",
        list(_NO_PROGRESS),
    )
    history: dict[UUID, list[Progress]] = defaultdict(list)
    for row in rows:
        history[row["saga_id"]].append(Progress(epoch=row["epoch"], at=row["at"]))
    return history
