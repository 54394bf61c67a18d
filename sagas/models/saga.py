"""The saga's row is the truth: its state, its fence, what it did and what it waits for."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce, Now
from django_fsm import GET_STATE, FSMField, FSMModelMixin, transition
from uuid6 import uuid7

from sagas import registry
from sagas.definitions import SagaDefinition, Step, StepContext

#: The control plane's database alias.
DATABASE = "default"

PENDING = "PENDING"
COMPLETE = "COMPLETE"
COMPENSATING = "COMPENSATING"
COMPENSATED = "COMPENSATED"
FAILED = "FAILED"

#: States in which nothing moves by itself any more (COMPENSATED may still owe a follow-up).
AT_REST = (COMPLETE, COMPENSATED, FAILED)


def new_saga_id() -> UUID:
    """Return a UUIDv7 (RFC 9562): unique, and in order of time, which keeps indexes dense."""
    return UUID(int=uuid7().int)


class Direction(models.TextChoices):
    DO = "do", "forward"
    UNDO = "undo", "compensation"
    FOLLOW_UP = "follow_up", "follow-up"


class Outcome(models.TextChoices):
    """How one attempt of one step ended."""

    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    TRANSIENT = "transient"
    IN_DOUBT = "in_doubt", "in doubt"
    WAITING = "waiting", "waiting for somebody else"
    UNEXPECTED = "unexpected"
    LOST = "lost", "worker lost"
    SUPERSEDED = "superseded"


class Parked(models.TextChoices):
    """Why a saga waits for a human."""

    NO = "", "not parked"
    RETRIES_EXHAUSTED = "retries_exhausted", "retries exhausted past the pivot"
    REFUSED_PAST_PIVOT = "refused_past_pivot", "refused past the pivot"
    UNKNOWN_VERSION = "unknown_version", "definition version unknown to the running code"
    PAUSED = "paused", "paused by an operator"


def _goes_forward(saga: "Saga") -> bool:
    return saga.next_step is not None


def _may_be_undone(saga: "Saga") -> bool:
    return saga.state in saga.definition.states


def _all_is_undone(saga: "Saga") -> bool:
    return not saga.undos_left and not saga.given_up


def _some_undo_was_given_up(saga: "Saga") -> bool:
    return not saga.undos_left and bool(saga.given_up)


def _state_after_next_step(saga: "Saga") -> str:
    if saga.next_step is None:
        raise ValueError(f"saga {saga.pk} has no step left")
    return saga.next_step.reaches


class Saga(FSMModelMixin, models.Model):
    """One run of a definition. Written by ``sagas.journal`` only, always fenced."""

    id = models.UUIDField(primary_key=True, default=new_saga_id, editable=False)
    kind = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    state = FSMField(max_length=64, default=PENDING, protected=True)
    #: The forward state from which compensation began; says which steps are to be undone.
    reached = models.CharField(max_length=64, blank=True)

    principal = models.CharField(max_length=64)
    idempotency_key = models.CharField(max_length=255)
    request_fingerprint = models.CharField(max_length=64)
    #: What it is about, so that staff can sort and filter by it without asking a domain.
    follows = models.UUIDField(
        null=True, editable=False, help_text="The saga whose outcome this one changes."
    )
    amount = models.BigIntegerField(default=0, help_text="At stake, in minor units.")
    currency = models.CharField(max_length=3, blank=True, help_text="ISO 4217.")
    input = models.JSONField(default=dict, help_text="Ids and amounts only.")
    results = models.JSONField(default=dict, help_text="Step -> ids and amounts that it returned.")
    undone = models.JSONField(default=dict, help_text="Step -> what its undo returned.")
    given_up = models.JSONField(default=list, help_text="Steps whose undo was exhausted.")

    epoch = models.PositiveIntegerField(default=1, help_text="Raised by every dispatch.")
    revision = models.PositiveIntegerField(default=0, help_text="Raised by every write.")
    claimed_at = models.DateTimeField(null=True, help_text="When the current step was begun.")
    claimed_by = models.IntegerField(
        null=True, help_text="Process id of the database session that began it."
    )
    lease_until = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0, help_text="Of the current step.")
    recoveries = models.PositiveIntegerField(default=0, help_text="Since the last progress.")
    deadline_at = models.DateTimeField()
    parked = models.CharField(max_length=32, choices=Parked, blank=True, default=Parked.NO)
    parked_at = models.DateTimeField(null=True)

    reason = models.CharField(max_length=64, blank=True, help_text="Why it is being undone.")
    reason_step = models.CharField(max_length=64, blank=True)
    reason_detail = models.CharField(max_length=500, blank=True)
    error_step = models.CharField(max_length=64, blank=True)
    error_direction = models.CharField(max_length=16, choices=Direction, blank=True)
    error_outcome = models.CharField(max_length=16, choices=Outcome, blank=True)
    error_type = models.CharField(max_length=200, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    error_at = models.DateTimeField(null=True)

    #: Set by ``journal`` as it reads: what the database's clock says of the row.
    past_deadline: bool
    is_due: bool | None
    #: Set by ``journal.read`` if it is asked about a step: whether a switch holds that one back.
    step_is_held: bool

    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        permissions = [
            ("retry_saga", "Can retry a saga"),
            ("compensate_saga", "Can compensate a saga before its pivot"),
            ("compensate_saga_past_pivot", "Can compensate a saga past its pivot"),
            ("compensate_saga_any_amount", "Can compensate past the pivot whatever the amount"),
            ("approve_saga", "Can approve what another operator asked for"),
            ("pause_saga", "Can pause and resume a saga"),
            ("ask_saga", "Can ask the provider how a payment stands"),
            ("mail_saga", "Can send a saga's mail again"),
            ("resolve_saga", "Can resolve a saga by hand, with evidence"),
            ("note_saga", "Can claim sagas and write notes on them"),
            ("bulk_saga", "Can act on many sagas at once"),
            ("export_saga", "Can export sagas as CSV"),
            ("cancel_order", "Can cancel a shopper's order"),
            ("refund_order", "Can give a part of an order back"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "principal", "idempotency_key"], name="sagas_one_saga_a_request"
            ),
            models.CheckConstraint(condition=Q(epoch__gte=1), name="sagas_epoch_positive"),
            # Nothing is left hanging: whatever moves has a time at which somebody looks at it.
            models.CheckConstraint(
                condition=Q(state__in=AT_REST)
                | ~Q(parked="")
                | Q(lease_until__isnull=False)
                | Q(next_attempt_at__isnull=False),
                name="sagas_unfinished_is_due_some_time",
            ),
            models.CheckConstraint(
                condition=Q(state__in=(COMPLETE, COMPENSATED), finished_at__isnull=False)
                | (~Q(state__in=(COMPLETE, COMPENSATED)) & Q(finished_at__isnull=True)),
                name="sagas_finished_means_finished",
            ),
        ]
        indexes = [
            models.Index(
                Coalesce("next_attempt_at", "lease_until"),
                name="sagas_due",
                condition=Q(parked="")
                & (Q(next_attempt_at__isnull=False) | Q(lease_until__isnull=False)),
            ),
            models.Index(
                fields=["parked", "parked_at"],
                name="sagas_needs_a_human",
                condition=Q(state=FAILED) | ~Q(parked=""),
            ),
            models.Index(
                fields=["state", "created_at"],
                name="sagas_unfinished",
                condition=~Q(state__in=(COMPLETE, COMPENSATED)),
            ),
            models.Index(
                fields=["claimed_by"],
                name="sagas_claimed",
                condition=Q(claimed_at__isnull=False),
            ),
            models.Index(fields=["-created_at", "-id"], name="sagas_newest"),
            models.Index(fields=["updated_at"], name="sagas_touched"),
            models.Index(
                fields=["follows"], name="sagas_following", condition=Q(follows__isnull=False)
            ),
            models.Index(fields=["state", "-created_at"], name="sagas_by_state"),
            models.Index(fields=["idempotency_key"], name="sagas_by_key"),
            models.Index(fields=["amount", "-created_at"], name="sagas_by_amount"),
            models.Index(fields=["reason", "-created_at"], name="sagas_by_reason"),
            models.Index(
                fields=["error_step", "error_type", "-created_at"],
                name="sagas_by_error",
                condition=~Q(error_step=""),
            ),
            # What the dashboard counts: what ended lately, without a look at the rows.
            models.Index(
                fields=["finished_at", "state"],
                name="sagas_ended",
                include=["created_at"],
                condition=Q(finished_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} ({self.state})"

    @property
    def definition(self) -> SagaDefinition:
        """The definition that this saga was started with; UnknownDefinition if code lacks it."""
        return registry.find(self.kind, self.version)

    @property
    def next_step(self) -> Step | None:
        """The forward step that is due, or None when it does not go forward."""
        if self.state not in self.definition.states:
            return None
        return next(iter(self.definition.steps_after(self.state)), None)

    @property
    def undos_left(self) -> Sequence[Step]:
        """The steps still to be undone, last first; those given up are left out."""
        if not self.reached:
            return []
        done = {*self.undone, *self.given_up}
        return [
            step for step in self.definition.steps_to_undo(self.reached) if step.name not in done
        ]

    @property
    def undoes_nothing(self) -> bool:
        """Whether it is being undone and no undo is left to run."""
        return self.state == COMPENSATING and not self.undos_left

    @property
    def is_before_pivot(self) -> bool:
        """Whether it goes forward and has not reached its point of no return."""
        return self.state in self.definition.states and self.definition.is_before_pivot(self.state)

    @property
    def due_at(self) -> datetime | None:
        """When recovery will look at it, by the database's clock."""
        return self.next_attempt_at or self.lease_until

    @property
    def due_direction(self) -> Direction | None:
        """Which way its next attempt goes, or None at rest."""
        if self.state == COMPENSATING:
            return Direction.UNDO
        if self.state == COMPENSATED and self.due_at is not None:
            return Direction.FOLLOW_UP
        return None if self.state in AT_REST else Direction.DO

    @property
    def due_step(self) -> str:
        """The name of the step that its next attempt runs; empty when there is none."""
        match self.due_direction:
            case Direction.DO:
                return self.next_step.name if self.next_step else ""
            case Direction.UNDO:
                return next((step.name for step in self.undos_left), "")
            case Direction.FOLLOW_UP:
                follow_up = self.definition.after_compensated
                return follow_up.name if follow_up else ""
        return ""

    @property
    def context(self) -> StepContext:
        """What its steps may know."""
        return StepContext(
            saga_id=self.id, input=self.input, results=self.results, reason=self.reason
        )

    @transition(
        field=state,
        source="*",
        target=GET_STATE(_state_after_next_step),
        conditions=[_goes_forward],
    )
    def complete_step(self) -> None:
        """Move to the state that the due step reaches."""

    @transition(field=state, source="*", target=COMPENSATING, conditions=[_may_be_undone])
    def begin_compensation(self, *, reason: str, step: str = "", detail: str = "") -> None:
        """Turn back from a forward state, and remember from where and why."""
        self.reached = self.state
        self.reason, self.reason_step, self.reason_detail = reason, step, detail

    @transition(field=state, source=COMPENSATING, target=COMPENSATED, conditions=[_all_is_undone])
    def finish_compensation(self) -> None:
        """Money, stock and order are undone."""

    @transition(
        field=state, source=COMPENSATING, target=FAILED, conditions=[_some_undo_was_given_up]
    )
    def fail(self) -> None:
        """An undo was exhausted after the others ran; a human is needed."""

    @transition(field=state, source=FAILED, target=COMPENSATING)
    def retry_compensation(self) -> None:
        """Try the exhausted undos again."""
        self.given_up = []
