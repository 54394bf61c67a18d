"""What the audit looked at, and what it found."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class AuditRun(models.Model):
    """One run of the audit: what it looked at, how long that took, and who did not answer."""

    class Scope(models.TextChoices):
        CHANGED = "changed", "what changed since the last run"
        EVERYTHING = "everything", "everything"
        ONE = "one", "one saga"
        LEDGER = "ledger", "the provider's charges of a window of time"

    scope = models.CharField(max_length=16, choices=Scope)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    seconds = models.FloatField(default=0)
    sagas = models.PositiveIntegerField(default=0, help_text="Sagas looked at.")
    charges = models.PositiveIntegerField(default=0, help_text="The provider's, looked at.")
    payments = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Ours, held against charges."
    )
    violations = models.PositiveIntegerField(default=0, help_text="Open at its end.")
    waiting = models.PositiveIntegerField(default=0, help_text="Findings that wait for a person.")
    not_looked_at = models.JSONField(default=list, help_text="Sources that did not answer.")
    #: source -> until when, by its own clock, everything written there has been looked at.
    watermarks = models.JSONField(default=dict)
    since = models.DateTimeField(null=True, help_text="Where the window begins, if it has one.")
    until = models.DateTimeField(null=True, help_text="Where it ends.")
    reached = models.DateTimeField(null=True, help_text="Up to where the window was looked at.")

    class Meta:
        ordering = ["-id"]
        permissions = [("run_audit", "Can have the audit run now")]

    def __str__(self) -> str:
        return f"audit {self.pk} of {self.scope}"


class Finding(models.Model):
    """One thing that is not as it must be, from when it was seen first until it was gone."""

    key = models.CharField(max_length=400, help_text="What it is about; open once at a time.")
    saga_id = models.UUIDField(null=True, help_text="No foreign key: the saga may be missing.")
    invariant = models.CharField(max_length=64)
    subject = models.CharField(max_length=255, blank=True)
    severity = models.CharField(max_length=16, help_text="A ``Severity`` of ``sagas.auditor``.")
    what = models.CharField(max_length=500)
    amount = models.BigIntegerField(default=0, help_text="At stake, in minor units.")
    currency = models.CharField(max_length=3, blank=True)
    mend = models.CharField(max_length=32, help_text="A ``Mend`` of ``sagas.auditor``.")
    url = models.CharField(max_length=500, help_text="Where it is mended.")
    sources = models.JSONField(default=list, help_text="Whom it was read from.")
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True, help_text="When it was gone.")

    class Meta:
        ordering = ["severity", "-amount", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=Q(closed_at=None), name="sagas_finding_open_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["severity", "-amount", "id"],
                name="sagas_findings_open",
                condition=Q(closed_at=None),
            ),
            models.Index(fields=["saga_id"], name="sagas_findings_of_saga"),
        ]

    def __str__(self) -> str:
        return f"{self.invariant} of {self.saga_id or self.subject}"
