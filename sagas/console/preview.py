"""What an operator sees before a verb is carried out, and whether it still holds afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django import forms

from sagas import journal, mandates
from sagas.console.actions import Verb
from sagas.evidence import Call, Verdict
from sagas.models import Saga
from sagas.registry import UnknownDefinition


@dataclass(frozen=True, kw_only=True)
class Preview:
    """The dry run of one verb on one saga, at one moment."""

    saga: Saga
    verdict: Verdict
    calls: Sequence[Call]

    @property
    def seen(self) -> str:
        """What the form carries: epoch, revision and the verdict's digest."""
        return f"{self.saga.epoch}.{self.saga.revision}.{self.verdict.digest()}"


class Word(forms.Form):
    """An operator's word on one verb; ``seen`` is what the preview showed."""

    seen = forms.CharField(widget=forms.HiddenInput, max_length=200)
    reason = forms.CharField(
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "off"}),
        help_text="For the operator log. No names, addresses or card numbers.",
    )
    reference = forms.CharField(
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Where the evidence is, such as the bank's reference of a transfer.",
    )

    def require_reference(self) -> None:
        """Make the reference as necessary as the reason."""
        self.fields["reference"].required = True


def verdict_of(saga: Saga) -> Verdict:
    """Ask the domains what ``saga`` holds; an empty verdict if nobody can be asked."""
    try:
        evidence = saga.definition.evidence
    except UnknownDefinition:
        evidence = None
    if evidence is None:
        return Verdict()
    return evidence.verdict(saga.pk, state=saga.state, reason=saga.reason)


def preview_of(saga: Saga, verb: Verb) -> Preview:
    """Return the dry run of ``verb`` as things stand now; nothing is changed."""
    return Preview(saga=saga, verdict=verdict_of(saga), calls=verb.calls(saga))


def mandate_seen(seen: str) -> tuple[int, int]:
    """Return the epoch and the revision that a form carried; Changed if it carries none."""
    try:
        epoch, revision, _ = seen.split(".")
        return int(epoch), int(revision)
    except ValueError as error:
        raise mandates.Changed("the form does not say what you saw; look again") from error


def must_hold(preview: Preview, seen: str) -> None:
    """Compare what was seen with how things stand.

    Raises:
        Changed: the saga or the verdict is another one by now.
    """
    if preview.seen != seen:
        state = preview.saga.parked or preview.saga.state
        raise mandates.Changed(
            f"it has moved on since you looked: the saga is {state} now, and below is what the "
            "domains say now. Nothing was done; look again and decide anew"
        )


def read(saga_id: UUID) -> Saga:
    """Read the saga by the database's clock; Saga.DoesNotExist if there is none."""
    return journal.sagas_now().get(pk=saga_id)
