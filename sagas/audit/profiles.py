"""What a saga's row says without its id: few rows say something that no other one says.

So the rules of the row alone are worked out once for each profile and kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from sagas import registry
from sagas.auditor import Stands
from sagas.definitions import SagaDefinition, Step
from sagas.models import COMPENSATED, COMPENSATING, COMPLETE, FAILED
from sagas.registry import UnknownDefinition

#: Before the name of a step that a person settled by hand: no attempt of ours succeeded.
BY_HAND = "!"
_BACKWARD = (COMPENSATING, COMPENSATED, FAILED)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What follows from the words of a row.

    Args:
        steps: whether the effect of each step must, may or must never stand; empty if the running
            code does not know the definition.
        faults: what the row itself contradicts, in words.
        done, undone: the steps that history must show as done and undone, in no order.
        in_order: ``done`` in the order of the definition, as one text.
        is_before_pivot: whether it goes forward and has not passed its point of no return.
        is_at_risk: whether the charge may stand, so that money is at stake.
    """

    steps: Mapping[str, Stands] = field(default_factory=dict)
    faults: Sequence[str] = ()
    done: Sequence[str] = ()
    undone: Sequence[str] = ()
    in_order: str = ""
    is_before_pivot: bool = False
    is_at_risk: bool = False


class Wording(NamedTuple):
    """What a row says; ``done``, ``gone`` and ``lost`` are names of steps, joined by spaces."""

    kind: str
    version: int
    state: str
    reached: str
    done: str
    gone: str
    lost: str


@lru_cache(maxsize=4096)
def profile_of(said: Wording) -> Profile:
    """Return what follows from the words of a row."""
    done, gone = said.done.split(), said.gone.split()
    by_hand = {name[1:] for name in done if name.startswith(BY_HAND)}
    own_done = sorted(name for name in done if not name.startswith(BY_HAND))
    own_gone = sorted(name for name in gone if not name.startswith(BY_HAND))
    try:
        definition = registry.find(said.kind, said.version)
    except UnknownDefinition:
        return Profile(done=own_done, undone=own_gone, is_at_risk=True)
    walk = _Walk(
        definition=definition,
        state=said.state,
        reached=said.reached,
        done={name.removeprefix(BY_HAND) for name in done},
        gone={name.removeprefix(BY_HAND) for name in gone},
        lost={*said.lost.split()},
    )
    steps = walk.steps()
    return Profile(
        steps={name: Stands.MAY if name in by_hand else each for name, each in steps.items()},
        faults=tuple(walk.faults()),
        done=own_done,
        undone=own_gone,
        in_order=" ".join(step.name for step in definition.steps if step.name in own_done),
        is_before_pivot=walk.is_forward and definition.is_before_pivot(said.state),
        is_at_risk=definition.charge is not None
        and all(steps.get(step.name) is not Stands.NEVER for step in definition.charge),
    )


@dataclass(frozen=True, kw_only=True)
class _Walk:
    """How far a saga says that it came along the declared edges, and back."""

    definition: SagaDefinition
    state: str
    reached: str
    done: set[str]
    gone: set[str]
    lost: set[str]

    @property
    def is_forward(self) -> bool:
        return self.state in self.definition.states

    @property
    def furthest(self) -> str:
        """The forward state that it came to."""
        return self.state if self.is_forward else self.reached

    def steps(self) -> Mapping[str, Stands]:
        """Return whether each step's effect must, may or must never stand."""
        if self.furthest not in self.definition.states:
            return {}
        saved = list(self.definition.states).index(self.furthest)
        return {
            # The step behind the last saved one may just happen; those after it may not.
            step.name: Stands.NEVER if n > saved else self._stands(step, is_saved=n < saved)
            for n, step in enumerate(self.definition.steps)
        }

    def _stands(self, step: Step, *, is_saved: bool) -> Stands:
        if self.is_forward:
            return Stands.MUST if is_saved else Stands.MAY
        is_undone = step.name in self.gone or (self.state == COMPENSATED and callable(step.undo))
        return Stands.NEVER if is_undone else Stands.MAY

    def faults(self) -> Iterator[str]:
        """Yield what no walk along the declared edges can lead to."""
        if not self.is_forward and self.state not in _BACKWARD:
            yield f"{self.state} is no state of it"
            return
        if self.furthest not in self.definition.states or (self.is_forward and self.reached):
            yield f"it is {self.state} and turned back from {self.reached or 'nowhere'}"
            return
        states = list(self.definition.states)
        saved = {step.name for step in self.definition.steps[: states.index(self.furthest)]}
        if self.done != saved:
            yield f"it came to {self.furthest} and has results of {_written(self.done)}"
        yield from self._faults_of_undos()

    def _faults_of_undos(self) -> Iterator[str]:
        to_undo = {step.name for step in self.definition.steps_to_undo(self.furthest)}
        match self.state:
            case state if self.is_forward:
                fits = not self.gone and not self.lost
            case state if state == COMPENSATED:
                fits = self.gone == to_undo and not self.lost
            case state if state == FAILED:
                fits = bool(self.lost) and self.gone | self.lost == to_undo
            case _:
                fits = self.gone | self.lost <= to_undo
        if not fits:
            yield (
                f"it is {self.state}, came to {self.furthest}, has undone {_written(self.gone)} "
                f"and given up {_written(self.lost)}"
            )


def _written(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def is_at_rest(state: str) -> bool:
    """Whether nothing is left to do."""
    return state in (COMPLETE, COMPENSATED)
