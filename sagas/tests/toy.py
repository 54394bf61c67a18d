"""A small saga for the engine's own tests: its steps keep their effects in receipts-free lists.

``script`` says what each call of a step does; whoever runs out of script succeeds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sagas.definitions import (
    NOTHING_TO_UNDO,
    FollowUp,
    Limits,
    Result,
    Retry,
    SagaDefinition,
    Step,
    StepContext,
)


class Refused(Exception):
    code = "toy-refused"


class Doubtful(Exception):
    code = "toy-in-doubt"


class Waits(Exception):
    code = "toy-waits"


class Busy(Exception):
    code = "toy-busy"


@dataclass
class Theatre:
    """What the toy's steps were told to do, and what they did."""

    script: dict[str, list[Exception | Callable[[], None]]] = field(default_factory=dict)
    played: list[str] = field(default_factory=list)

    def play(self, part: str) -> Result:
        self.played.append(part)
        cues = self.script.get(part)
        if cues:
            cue = cues.pop(0)
            if isinstance(cue, Exception):
                raise cue
            cue()
        return {"part": part}

    def clear(self) -> None:
        self.script.clear()
        self.played.clear()


theatre = Theatre()


def _act(part: str) -> Callable[[StepContext], Result]:
    return lambda saga: theatre.play(part)


BRIEF = Retry(attempts=3, first_delay=0, max_delay=0)
PATIENT = replace(BRIEF, attempts=5)
LIMITS = Limits(seconds=5, do=BRIEF, undo=BRIEF)


def _step(
    name: str,
    reaches: str,
    *,
    queue: str,
    pivot: bool = False,
    undo: bool = True,
    limits: Limits = LIMITS,
) -> Step:
    return Step(
        name=name,
        do=_act(name),
        undo=_act(f"undo {name}") if undo else NOTHING_TO_UNDO,
        reaches=reaches,
        queue=queue,
        limits=limits,
        refusals=(Refused,),
        in_doubt=(Doubtful,),
        waits=(Waits,),
        transient=(Busy,),
        pivot=pivot,
    )


TOY = SagaDefinition(
    kind="toy",
    version=1,
    deadline=300,
    steps=(
        _step("pack_bag", "PACKED", queue="orders"),
        _step("lock_door", "LOCKED", queue="inventory"),
        _step("board_train", "ABOARD", queue="payments", pivot=True),
        _step("find_seat", "SEATED", queue="orders", undo=False),
        _step(
            "wave_goodbye",
            "COMPLETE",
            queue="notifications",
            undo=False,
            limits=replace(LIMITS, do=PATIENT),
        ),
    ),
    after_compensated=FollowUp(
        name="say_sorry",
        do=_act("say_sorry"),
        queue="notifications",
        limits=LIMITS,
        transient=(Busy,),
    ),
)
