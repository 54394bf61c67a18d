"""System checks of the saga definitions: each has an id and says the mend."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string

from sagas import registry
from sagas.definitions import NOTHING_TO_UNDO, SagaDefinition
from sagas.models import AT_REST, COMPENSATING, COMPLETE, PENDING
from sagas.tasks import COMPENSATION_QUEUE, RECOVERY_QUEUE

#: Environments in which operators may make steps go wrong on purpose.
_CHAOS_ALLOWED = ("staging", "development", "test")
_RESERVED_STATES = {PENDING, COMPENSATING, *AT_REST} - {COMPLETE}


@register
def check_sagas(**_: Any) -> Sequence[CheckMessage]:
    """Check every definition that settings.SAGAS names."""
    return [fault for kind in settings.SAGAS for fault in check_kind(kind)]


@register
def check_crash_plan(**_: Any) -> Sequence[CheckMessage]:
    """Processes may be made to die at their crash points in tests only."""
    if not settings.CRASH_PLAN or settings.ENVIRONMENT == "test":
        return []
    return [
        Error(
            f"CRASH_PLAN is set, and MAKEGOOD_ENV is {settings.ENVIRONMENT!r}, not test.",
            hint="Unset CRASH_PLAN: it lets processes die on purpose.",
            id="sagas.E010",
        )
    ]


@register
def check_chaos(**_: Any) -> Sequence[CheckMessage]:
    """Check that faults are staged only where no shopper pays."""
    if not settings.STAGING_CHAOS or settings.ENVIRONMENT in _CHAOS_ALLOWED:
        return []
    return [
        Error(
            f"STAGING_CHAOS is on in the environment {settings.ENVIRONMENT!r}.",
            hint=f"Unset it, or set MAKEGOOD_ENV to one of {', '.join(_CHAOS_ALLOWED)}.",
            id="sagas.E012",
        )
    ]


def check_kind(kind: str) -> Iterator[CheckMessage]:
    """Check the definitions of one kind."""
    versions: list[int] = []
    for path in registry.paths_of(kind):
        try:
            definition = import_string(path)
        except ImportError as error:
            yield Error(
                f"settings.SAGAS[{kind!r}] names {path!r}, which cannot be imported: {error}",
                hint="Give the dotted path of a SagaDefinition.",
                id="sagas.E001",
            )
            continue
        if not isinstance(definition, SagaDefinition):
            yield Error(
                f"{path!r} is not a SagaDefinition.",
                hint="Point settings.SAGAS at a SagaDefinition.",
                id="sagas.E001",
            )
            continue
        if definition.kind != kind or definition.version in versions:
            yield Error(
                f"{path!r} is {definition.kind!r} version {definition.version}.",
                hint=f"Its kind must be {kind!r} and each version must be listed once.",
                id="sagas.E002",
            )
        versions.append(definition.version)
        yield from check_definition(definition)
    if not registry.paths_of(kind):
        yield Error(
            f"settings.SAGAS[{kind!r}] names no definition.",
            hint="Give a dotted path, or a list of them, the newest version first.",
            id="sagas.E001",
        )


def check_definition(definition: SagaDefinition) -> Iterator[CheckMessage]:
    """Check the steps of one definition."""
    for check in (_once_each, _undos, _pivot, _states, _queues, _limits):
        yield from check(definition)


def _once_each(saga: SagaDefinition) -> Iterator[CheckMessage]:
    names = [step.name for step in saga.steps]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Error(
            f"saga {saga.kind!r} has the step {name!r} twice.",
            hint="Give every step a name of its own: receipts and history are kept by it.",
            id="sagas.E003",
        )
    if not saga.steps:
        yield Error(
            f"saga {saga.kind!r} has no steps.", hint="Give it one or more.", id="sagas.E003"
        )


def _undos(saga: SagaDefinition) -> Iterator[CheckMessage]:
    for step in saga.steps:
        if step.undo is not NOTHING_TO_UNDO and not callable(step.undo):
            yield Error(
                f"step {step.name!r} of saga {saga.kind!r} has an undo that is not a function.",
                hint="Give the true inverse, or say NOTHING_TO_UNDO.",
                id="sagas.E004",
            )


def _pivot(saga: SagaDefinition) -> Iterator[CheckMessage]:
    pivots = [n for n, step in enumerate(saga.steps) if step.pivot]
    if len(pivots) > 1:
        yield Error(
            f"saga {saga.kind!r} has {len(pivots)} pivots.",
            hint="Mark one step: the point of no return.",
            id="sagas.E005",
        )
    for step in saga.steps[pivots[0] + 1 :] if pivots else ():
        if step.undo is not NOTHING_TO_UNDO:
            yield Error(
                f"step {step.name!r} of saga {saga.kind!r} has an undo but follows the pivot.",
                hint="Move it before the pivot, or make it retriable with NOTHING_TO_UNDO.",
                id="sagas.E006",
            )


def _states(saga: SagaDefinition) -> Iterator[CheckMessage]:
    reached = [step.reaches for step in saga.steps]
    wrong = sorted(_RESERVED_STATES.intersection(reached)) + sorted(
        {state for state in reached if reached.count(state) > 1}
    )
    if wrong or (reached[-1:] != [COMPLETE] and reached):
        yield Error(
            f"saga {saga.kind!r} reaches {reached}.",
            hint=f"Give each step a state of its own, not the engine's; the last: {COMPLETE}.",
            id="sagas.E007",
        )


def _queues(saga: SagaDefinition) -> Iterator[CheckMessage]:
    needed = {step.queue for step in saga.steps} | {COMPENSATION_QUEUE, RECOVERY_QUEUE}
    if saga.after_compensated:
        needed.add(saga.after_compensated.queue)
    for queue in sorted(needed.difference(settings.CELERY_QUEUES)):
        yield Error(
            f"saga {saga.kind!r} sends to the queue {queue!r}, which nobody routes.",
            hint="Add it to settings.CELERY_QUEUES and let a worker consume it.",
            id="sagas.E008",
        )


def _limits(saga: SagaDefinition) -> Iterator[CheckMessage]:
    for step in saga.steps:
        too_few = step.limits.do.attempts < 1 or step.limits.undo.attempts < 1
        if step.limits.seconds <= 0 or too_few:
            yield Error(
                f"step {step.name!r} of saga {saga.kind!r} has limits that allow no attempt.",
                hint="Give at least one attempt and more than zero seconds.",
                id="sagas.E009",
            )
