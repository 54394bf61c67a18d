"""What a saga is made of: frozen values, no ORM, no Celery."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sagas.auditor import Auditor
from sagas.evidence import Evidence
from sagas.participant.backoff import full_jitter

Result = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """What a step may know: ids and amounts, never personal data.

    ``input`` is what the saga was started with, ``results`` maps each finished step to what
    it returned, ``reason`` says why the saga is being undone (empty while it goes forward).
    """

    saga_id: UUID
    input: Mapping[str, Any]
    results: Mapping[str, Result]
    reason: str = ""


StepFunction = Callable[[StepContext], Result]


class Undo(StrEnum):
    """The undo of a step whose effect needs none, or can have none."""

    NOTHING_TO_UNDO = "nothing to undo"


NOTHING_TO_UNDO: Final = Undo.NOTHING_TO_UNDO


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Exponential back-off with full jitter and an end.

    Args:
        attempts: how often a step is tried at the most.
        first_delay: upper bound of the first wait, in seconds.
        max_delay: upper bound of every wait, in seconds.
    """

    attempts: int
    first_delay: float
    max_delay: float

    def delay_after(self, attempt: int) -> float:
        """Return a random wait in seconds after the ``attempt``-th failure (1 is the first)."""
        return full_jitter(attempt, first=self.first_delay, longest=self.max_delay)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long one attempt may run, in seconds, and how often each direction is tried."""

    seconds: float
    do: Retry
    undo: Retry


@dataclass(frozen=True, kw_only=True)
class Step:
    """One forward action beside its compensation.

    Args:
        name: verb_noun; unique in its saga, and the key of receipts and history.
        do: the forward action; safe to repeat.
        undo: the true inverse, safe to repeat and to call when ``do`` never happened,
            or NOTHING_TO_UNDO.
        reaches: the saga's state once ``do`` is saved.
        queue: the Celery queue of ``do``; every undo runs on the compensation queue.
        limits: how long an attempt may run, and how often ``do`` and ``undo`` are tried.
        refusals: exceptions that are a definite no: never retried.
        in_doubt: exceptions that leave the outcome of an outside call unknown.
        waits: exceptions that say that somebody else has to act first, such as the shopper: the
            step is tried again until they have, and no attempt is counted. Before the pivot the
            deadline ends the wait. The text completes "waiting …".
        transient: further exceptions that time may heal, beside lost connections and time-outs.
        pivot: the point of no return; after it the saga only goes forward.
        takes_money: it takes the shopper's money; where no step says so, the pivot does.
        joins: run it in the same message as the step before, by the same worker, which saves a
            trip through the broker; for steps that may wait for the same pool. ``queue`` is for
            when recovery begins with it.
    """

    name: str
    do: StepFunction
    undo: StepFunction | Undo
    reaches: str
    queue: str
    limits: Limits
    refusals: tuple[type[Exception], ...] = ()
    in_doubt: tuple[type[Exception], ...] = ()
    waits: tuple[type[Exception], ...] = ()
    transient: tuple[type[Exception], ...] = ()
    pivot: bool = False
    takes_money: bool = False
    joins: bool = False


@dataclass(frozen=True, kw_only=True)
class Part:
    """The half of a step that an attempt runs, in one shape for all directions."""

    act: StepFunction
    retry: Retry
    time_limit: float
    refusals: tuple[type[Exception], ...] = ()
    in_doubt: tuple[type[Exception], ...] = ()
    waits: tuple[type[Exception], ...] = ()
    transient: tuple[type[Exception], ...] = ()


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """Something told after the saga was made good, with retries of its own; holds nothing back."""

    name: str
    do: StepFunction
    queue: str
    limits: Limits
    refusals: tuple[type[Exception], ...] = ()
    transient: tuple[type[Exception], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Consequence:
    """What a saga that follows another one (``Saga.follows``) does to that one's outcome.

    Args:
        undoes: steps of the other whose effect does not stand any more once this one is complete.
        gives_back: whether its ``amount`` goes back of what the other has charged. Once this one
            is undone, only what a result of an undo calls ``stands`` stays given back.
    """

    undoes: frozenset[str] = frozenset()
    gives_back: bool = False

    def __bool__(self) -> bool:
        """Tell whether it does anything to it."""
        return bool(self.undoes) or self.gives_back


@dataclass(frozen=True, kw_only=True)
class SagaDefinition:
    """A saga: its steps in order, told as a table.

    Args:
        kind: its key in ``settings.SAGAS``.
        version: raised when the steps change in a way that running sagas must not meet.
        deadline: seconds from the start after which a saga before its pivot is compensated.
        steps: in order; the last one reaches COMPLETE.
        after_compensated: what to tell once everything is undone.
        evidence: whom the console asks what a saga holds and what it cost.
        auditor: who compares what sagas claim with what their domains hold.
        consequence: what it does to the outcome of the saga that it follows, if it follows one.
    """

    kind: str
    version: int
    deadline: float
    steps: Sequence[Step]
    after_compensated: FollowUp | None = None
    evidence: Evidence | None = None
    auditor: Auditor | None = None
    consequence: Consequence = Consequence()
    _index: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        states = ["PENDING", *(step.reaches for step in self.steps)]
        object.__setattr__(self, "_index", {state: n for n, state in enumerate(states)})

    @property
    def states(self) -> Sequence[str]:
        """Every forward state, in order, from PENDING to the end."""
        return list(self._index)

    def step(self, name: str) -> Step:
        """Return the step called ``name``; KeyError if there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(f"saga {self.kind!r} has no step {name!r}")

    def steps_after(self, state: str) -> Sequence[Step]:
        """Return the steps that are left once ``state`` is reached."""
        return self.steps[self._index[state] :]

    def links_after(self, state: str) -> Sequence[Sequence[Step]]:
        """Return the steps that are left once ``state`` is reached, those of a message together."""
        links: list[list[Step]] = []
        for step in self.steps_after(state):
            if step.joins and links:
                links[-1].append(step)
            else:
                links.append([step])
        return links

    def steps_to_undo(self, state: str) -> Sequence[Step]:
        """Return the steps to undo from forward state ``state``, last first.

        The step after ``state`` is among them: it may have happened without being saved.
        Steps with NOTHING_TO_UNDO are left out.
        """
        reached = self.steps[: self._index[state] + 1]
        return [step for step in reversed(reached) if callable(step.undo)]

    @property
    def charge(self) -> tuple[Step, Step] | None:
        """The step that takes the shopper's money, and the step whose undo gives it back.

        None for a saga that takes none.
        """
        takes = next((step for step in self.steps if step.takes_money), None)
        takes = takes or next((step for step in self.steps if step.pivot), None)
        if takes is None or self.consequence.gives_back:
            return None
        undone_first = self.steps_to_undo(self.steps[self._index[takes.reaches] - 1].reaches)
        return (takes, undone_first[0]) if undone_first else None

    @property
    def is_final_past_pivot(self) -> bool:
        """Whether nobody, not even an operator, turns it back once the pivot is passed.

        What it did to another saga's outcome cannot be taken from that again.
        """
        return bool(self.consequence)

    def is_before_pivot(self, state: str) -> bool:
        """Tell whether ``state`` lies before the pivot, where compensation is automatic."""
        return any(step.pivot for step in self.steps_after(state))
