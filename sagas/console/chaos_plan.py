"""What an operator may stage: the form of a plan, and in words what will come of it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings

from sagas import registry
from sagas.definitions import Step
from sagas.disturbances import Plan
from sagas.models import COMPENSATED, DATABASE, Direction, Fault, Saga
from sagas.registry import UnknownDefinition


def parts() -> Sequence[tuple[str, str]]:
    """Return every part that can be disturbed: its value in the form, and its words."""
    offered = []
    for kind in settings.SAGAS:
        for step in registry.newest(kind).steps:
            offered.append((f"{kind} do {step.name}", f"{step.name} of a {kind}"))
            if callable(step.undo):
                words = f"the undo of {step.name} of a {kind}"
                offered.append((f"{kind} undo {step.name}", words))
    return offered


class Staging(forms.Form):
    """What is to go wrong, how, and for which sagas."""

    part = forms.ChoiceField(choices=parts, label="What goes wrong")
    fault = forms.ChoiceField(choices=Fault.choices, label="How: the attempt")
    attempts = forms.IntegerField(
        min_value=1, max_value=20, initial=1, label="Attempts of each checkout that go wrong"
    )
    saga = forms.CharField(
        required=False,
        max_length=64,
        label="This checkout only",
        help_text="The saga's id. Leave it empty for the next checkouts that start.",
    )
    most_sagas = forms.IntegerField(
        min_value=1, max_value=100, initial=1, label="How many of the next checkouts"
    )
    principal = forms.RegexField(
        r"\A(guest|user:\d{1,18})\Z",
        required=False,
        label="Of this shopper only",
        help_text="guest, or user: and a number, as a saga's page shows it. Empty: anybody's.",
        error_messages={"invalid": "Write guest, or user: and a number, such as user:42."},
    )
    minutes = forms.IntegerField(
        min_value=1, max_value=1440, initial=15, label="For how many minutes"
    )

    def clean_saga(self) -> Saga | None:
        """Return the saga that the id names, None without one."""
        text = self.cleaned_data["saga"].strip()
        if not text:
            return None
        try:
            return Saga.objects.using(DATABASE).get(pk=UUID(text))
        except (ValueError, Saga.DoesNotExist):
            raise forms.ValidationError(
                "No saga has this id; copy it from the end of the saga's page."
            ) from None

    def clean(self) -> dict[str, Any]:
        """Refuse a part that the chosen saga will not run any more."""
        saga, part = self.cleaned_data.get("saga"), self.cleaned_data.get("part")
        if saga and part:
            kind, direction, name = part.split()
            try:
                ahead = _parts_ahead(saga, Direction(direction)) if kind == saga.kind else []
            except UnknownDefinition:
                self.add_error("saga", "Its version is not deployed here; choose another.")
                return self.cleaned_data
            if name not in ahead:
                mend = f"choose one of {', '.join(ahead)}" if ahead else "choose another checkout"
                self.add_error("part", f"This checkout is {saga.state}, past that: {mend}.")
        return self.cleaned_data

    @property
    def plan(self) -> Plan:
        """The plan that a valid form tells."""
        kind, direction, name = self.cleaned_data["part"].split()
        saga = self.cleaned_data["saga"]
        return Plan(
            kind=kind,
            step=name,
            direction=Direction(direction),
            fault=Fault(self.cleaned_data["fault"]),
            attempts=self.cleaned_data["attempts"],
            saga_id=saga.pk if saga else None,
            most_sagas=1 if saga else self.cleaned_data["most_sagas"],
            principal="" if saga else self.cleaned_data["principal"],
            minutes=self.cleaned_data["minutes"],
        )


class Confirmed(Staging):
    """The same, and why."""

    reason = forms.CharField(
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "off"}),
        help_text="For the log. No names, addresses or card numbers.",
    )


def _parts_ahead(saga: Saga, direction: Direction) -> Sequence[str]:
    """Return the steps that ``saga`` may still do, or undo."""
    definition = saga.definition
    forward = saga.state in definition.states
    if direction is Direction.DO:
        return [step.name for step in definition.steps_after(saga.state)] if forward else []
    if saga.state == COMPENSATED:
        return []
    if forward:
        return [step.name for step in definition.steps if callable(step.undo)]
    return [*(step.name for step in saga.undos_left), *saga.given_up]


def forecast(plan: Plan) -> str:
    """Say what the engine will make of it."""
    definition = registry.newest(plan.kind)
    step = definition.step(plan.step)
    before = definition.states[definition.steps.index(step)]
    if plan.direction is Direction.UNDO:
        given_up = "the undo is given up, the others run, and the saga ends as FAILED"
        return _course(plan, step, step.limits.undo.attempts, given_up)
    if definition.is_before_pivot(before):
        return _course(plan, step, step.limits.do.attempts, "everything is undone")
    return _course(plan, step, step.limits.do.attempts, "the saga waits for a person, paid")


def _course(plan: Plan, step: Step, most: int, the_end: str) -> str:
    repeated = (
        f"It is repeated with back-off, {most} attempts at the most; if none succeeds, {the_end}."
    )
    match plan.fault:
        case Fault.REFUSED:
            return f"A refusal is never repeated: {the_end}."
        case Fault.IN_DOUBT:
            return (
                "The part really happens, but the saga does not learn it. Nothing may happen "
                f"twice. {repeated}"
            )
        case Fault.HANGS:
            limit = f"A worker is held until its time limit of {step.limits.seconds:g} s is over"
            doubt = ", and nobody knows then what the other side did" if step.in_doubt else ""
            return f"{limit}{doubt}. {repeated}"
    return f"Nothing happens in it. {repeated}"
