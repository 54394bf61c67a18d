"""What happened: every attempt of every step, and the beats of the periodic jobs."""

from django.db import models
from django.db.models.functions import Now

from sagas.models.saga import Direction, Outcome, Saga


class StepRun(models.Model):
    """History: one attempt of one step. The database refuses to change or delete a row."""

    saga = models.ForeignKey(Saga, on_delete=models.PROTECT, related_name="runs")
    step = models.CharField(max_length=64)
    direction = models.CharField(max_length=16, choices=Direction)
    attempt = models.PositiveIntegerField()
    epoch = models.PositiveIntegerField()
    outcome = models.CharField(max_length=16, choices=Outcome)
    worker = models.CharField(max_length=200, blank=True)
    duration_ms = models.PositiveIntegerField(default=0)
    error_type = models.CharField(max_length=200, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    result = models.JSONField(default=dict)
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.direction} {self.step} #{self.attempt}: {self.outcome}"


class Heartbeat(models.Model):
    """When a periodic job last ran, for probes and the console."""

    name = models.CharField(primary_key=True, max_length=64)
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%Y-%m-%d %H:%M:%S}"
