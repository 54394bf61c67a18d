"""What people do to sagas: their log, claims, switches, approvals and bulk runs."""

from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid6 import uuid7

from sagas.models.saga import Saga


def new_bulk_id() -> UUID:
    """Return a UUIDv7: unique, and in order of time."""
    return UUID(int=uuid7().int)


class OperatorAction(models.Model):
    """What a person did to a saga. The database refuses to change or delete a row."""

    saga = models.ForeignKey(Saga, on_delete=models.PROTECT, related_name="operator_actions")
    verb = models.CharField(max_length=32)
    operator = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT)
    address = models.GenericIPAddressField(null=True, help_text="Where the operator sat.")
    reason = models.CharField(max_length=500, blank=True)
    reference = models.CharField(max_length=200, blank=True, help_text="Evidence, if any.")
    effect = models.CharField(max_length=500)
    state = models.CharField(max_length=64, blank=True, help_text="The saga's, before.")
    epoch = models.PositiveIntegerField(default=0, help_text="The saga's, before.")
    preview = models.JSONField(default=list, help_text="The calls that the operator was shown.")
    verdict = models.JSONField(default=dict, help_text="What the domains said before.")
    taken_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["-taken_at"], name="sagas_actions_newest")]

    def __str__(self) -> str:
        return f"{self.verb} on {self.saga_id}"


class ActionOutcome(models.Model):
    """What the domains said once a verb was carried out. Append-only, like its action."""

    action = models.OneToOneField(
        OperatorAction, on_delete=models.PROTECT, related_name="outcome", primary_key=True
    )
    state = models.CharField(max_length=64, help_text="The saga's, afterwards.")
    verdict = models.JSONField(default=dict)
    recorded_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"outcome of action {self.pk}: {self.state}"


class Assignment(models.Model):
    """Who takes care of a saga that needs a human; one person at a time."""

    saga = models.OneToOneField(
        Saga, on_delete=models.PROTECT, related_name="assignment", primary_key=True
    )
    operator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    assigned_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"saga {self.saga_id} is with {self.operator_id}"


class Switch(models.Model):
    """Something that is held back on purpose: a row is there while it is."""

    name = models.CharField(primary_key=True, max_length=140)
    reason = models.CharField(max_length=500)
    operator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    since = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "switches"

    def __str__(self) -> str:
        return self.name


class SwitchLog(models.Model):
    """Who held something back, or let it go. The database refuses to change or delete a row."""

    name = models.CharField(max_length=140)
    closed = models.BooleanField()
    reason = models.CharField(max_length=500, blank=True)
    operator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    address = models.GenericIPAddressField(null=True)
    taken_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} {'closed' if self.closed else 'opened'}"


class Approval(models.Model):
    """A verb that one operator asked for and another one has to allow."""

    saga = models.ForeignKey(Saga, on_delete=models.PROTECT, related_name="approvals")
    verb = models.CharField(max_length=32)
    digest = models.CharField(max_length=64, help_text="Of what was seen when it was asked for.")
    reason = models.CharField(max_length=500)
    reference = models.CharField(max_length=200, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    requested_at = models.DateTimeField(db_default=Now())
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["saga", "verb"],
                condition=Q(approved_by=None),
                name="sagas_one_open_approval",
            ),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("requested_by")),
                name="sagas_approved_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verb} on {self.saga_id} asked for by {self.requested_by_id}"


class BulkRun(models.Model):
    """One verb on many sagas, whose ids were frozen when the operator looked."""

    class State(models.TextChoices):
        LOOKED_AT = "looked_at", "not begun"
        CANARY = "canary", "the first few"
        RUNNING = "running", "running"
        STOPPED = "stopped", "stopped"
        DONE = "done", "done"

    id = models.UUIDField(primary_key=True, default=new_bulk_id, editable=False)
    verb = models.CharField(max_length=32)
    operator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    address = models.GenericIPAddressField(null=True)
    reason = models.CharField(max_length=400, blank=True)
    per_second = models.PositiveIntegerField(default=5)
    canary = models.PositiveIntegerField(default=3)
    max_failures = models.PositiveIntegerField(default=5)
    state = models.CharField(max_length=16, choices=State, default=State.LOOKED_AT)
    stopped_why = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    #: Until when a worker is taken to be on it; by the database's clock.
    busy_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.verb} on many ({self.state})"


class BulkItem(models.Model):
    """One saga of a bulk run, and what became of it."""

    class Outcome(models.TextChoices):
        WAITING = "waiting", "waiting"
        UNDER_WAY = "under_way", "under way"
        SUCCEEDED = "succeeded", "as wanted"
        SKIPPED = "skipped", "skipped"
        FAILED = "failed", "not as wanted"

    run = models.ForeignKey(BulkRun, on_delete=models.PROTECT, related_name="items")
    saga = models.ForeignKey(Saga, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveIntegerField()
    outcome = models.CharField(max_length=16, choices=Outcome, default=Outcome.WAITING)
    words = models.CharField(max_length=500, blank=True)
    begun_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["run", "saga"], name="sagas_once_a_bulk_run"),
        ]
        indexes = [models.Index(fields=["run", "outcome", "position"], name="sagas_bulk_next")]

    def __str__(self) -> str:
        return f"{self.saga_id}: {self.outcome}"
