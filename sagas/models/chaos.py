"""Faults that staff stage on purpose, on a staging site: what was planned, and what it hit."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from sagas.models.saga import Direction, Saga


class Fault(models.TextChoices):
    """How a disturbed attempt goes wrong."""

    FAILS = "fails", "fails (time may heal it)"
    REFUSED = "refused", "is refused (a definite no)"
    HANGS = "hangs", "hangs (until its time limit)"
    IN_DOUBT = "in_doubt", "is in doubt (it happens, the reply is lost)"


class Disturbance(models.Model):
    """A plan to disturb a step. Only its counters and its stop may change; it is never deleted."""

    kind = models.CharField(max_length=64)
    step = models.CharField(max_length=64)
    direction = models.CharField(
        max_length=16, choices=[(each.value, each.label) for each in (Direction.DO, Direction.UNDO)]
    )
    fault = models.CharField(max_length=16, choices=Fault)
    attempts = models.PositiveIntegerField(help_text="Of each saga, that are disturbed.")
    #: Which sagas: this one; or the first that start after the plan was made.
    saga = models.ForeignKey(Saga, null=True, on_delete=models.PROTECT, related_name="+")
    most_sagas = models.PositiveIntegerField(help_text="How many sagas it may disturb.")
    principal = models.CharField(max_length=64, blank=True, help_text="Only theirs, if given.")
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    address = models.GenericIPAddressField(null=True, help_text="Where the operator sat.")
    reason = models.CharField(max_length=500)
    planned_at = models.DateTimeField(db_default=Now())
    ends_at = models.DateTimeField()

    sagas_hit = models.PositiveIntegerField(default=0)
    hits = models.PositiveIntegerField(default=0)
    stopped_at = models.DateTimeField(null=True)
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["-id"]
        permissions = [("disturb_saga", "Can make steps go wrong on purpose, on a staging site")]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    sagas_hit__lte=F("most_sagas"), hits__lte=F("most_sagas") * F("attempts")
                ),
                name="sagas_disturbs_no_more_than_planned",
            ),
        ]

    def __str__(self) -> str:
        undo = "undo of " if self.direction == Direction.UNDO else ""
        return f"{undo}{self.step} {Fault(self.fault).label}"


class DisturbedAttempt(models.Model):
    """One attempt that was disturbed. The database refuses to change or delete a row."""

    disturbance = models.ForeignKey(
        Disturbance, on_delete=models.PROTECT, related_name="disturbed_attempts"
    )
    saga = models.ForeignKey(Saga, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField(help_text="Of this saga's, by this disturbance.")
    attempt = models.PositiveIntegerField()
    epoch = models.PositiveIntegerField()
    disturbed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["disturbance", "saga", "number"], name="sagas_disturbed_once_a_number"
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.attempt} of {self.saga_id}"
