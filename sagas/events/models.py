"""The two tables that a domain keeps in its own database: what it tells, what it has heard."""

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from sagas.events.facts import Event, new_event_id


class AbstractOutboxEvent(models.Model):
    """Something that happened, committed with the change itself, on its way to its consumers.

    It waits, then it was relayed to the broker, then each consumer's inbox has received it.
    """

    #: The alias of the domain's database.
    database: ClassVar[str]

    #: Drawn while the aggregate's row is locked, so that it rises with its commits.
    sequence = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(unique=True, default=new_event_id, editable=False)
    type = models.CharField(max_length=64)
    aggregate = models.CharField(max_length=128)
    saga_id = models.UUIDField(null=True)
    payload = models.JSONField(default=dict, help_text="Ids, codes and amounts only.")
    happened_at = models.DateTimeField(db_default=Now())
    claimed_until = models.DateTimeField(
        null=True, help_text="Until when a relay is taken to be at work on it."
    )
    relayed_at = models.DateTimeField(null=True, help_text="When the broker took it last.")
    received_at = models.DateTimeField(
        null=True, help_text="When every consumer's inbox was seen to have it."
    )

    class Meta:
        abstract = True
        ordering = ["-sequence"]
        constraints = [
            models.CheckConstraint(
                condition=Q(claimed_until=None) | Q(relayed_at=None),
                name="%(app_label)s_outbox_claimed_while_it_waits",
            ),
            models.CheckConstraint(
                condition=Q(received_at=None) | Q(relayed_at__isnull=False),
                name="%(app_label)s_outbox_relayed_before_received",
            ),
        ]
        indexes = [
            models.Index(
                fields=["sequence"],
                name="%(app_label)s_outbox_waiting",
                condition=Q(relayed_at=None),
            ),
            models.Index(
                fields=["claimed_until"],
                name="%(app_label)s_outbox_claimed",
                condition=Q(claimed_until__isnull=False),
            ),
            models.Index(
                fields=["relayed_at"],
                name="%(app_label)s_outbox_to_check",
                condition=Q(received_at=None, relayed_at__isnull=False),
            ),
            models.Index(
                fields=["saga_id"],
                name="%(app_label)s_outbox_saga",
                condition=Q(saga_id__isnull=False),
            ),
            # Rows come in order of time: a few pages of index for the whole table.
            BrinIndex(fields=["happened_at"], name="%(app_label)s_outbox_age"),
        ]

    def __str__(self) -> str:
        return f"{self.type} of {self.aggregate}"

    @property
    def event(self) -> Event:
        """The event as it travels."""
        return Event(
            id=self.event_id,
            type=self.type,
            aggregate=self.aggregate,
            saga_id=self.saga_id,
            payload=self.payload,
            sequence=self.sequence,
            happened_at=self.happened_at,
        )


class Handling(models.TextChoices):
    """What became of an event at one consumer."""

    WAITING = "WAITING", "waiting"
    DONE = "DONE", "done"
    DEAD = "DEAD", "given up"


class AbstractInboxEntry(models.Model):
    """One event at one consumer, committed with its effect; a doubled event finds the row.

    It keeps a copy of the event, so that it can be tried again whatever became of the message.
    """

    #: The alias of the domain's database.
    database: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=new_event_id, editable=False)
    event_id = models.UUIDField()
    consumer = models.CharField(max_length=128)
    type = models.CharField(max_length=64)
    aggregate = models.CharField(max_length=128)
    saga_id = models.UUIDField(null=True)
    payload = models.JSONField(default=dict, help_text="Ids, codes and amounts only.")
    sequence = models.BigIntegerField()
    happened_at = models.DateTimeField()
    status = models.CharField(max_length=16, choices=Handling, default=Handling.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    last_error = models.CharField(
        max_length=200, blank=True, help_text="Type and code only: texts quote personal data."
    )
    received_at = models.DateTimeField(db_default=Now())
    done_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        ordering = ["-id"]
        verbose_name_plural = "inbox entries"
        permissions = [("replay_inboxentry", "Can try an event again that was given up")]
        constraints = [
            models.UniqueConstraint(
                fields=["event_id", "consumer"], name="%(app_label)s_inbox_once"
            ),
            models.CheckConstraint(
                condition=Q(status=Handling.WAITING, next_attempt_at__isnull=False, done_at=None)
                | Q(status=Handling.DONE, next_attempt_at=None, done_at__isnull=False)
                | Q(status=Handling.DEAD, next_attempt_at=None, done_at=None),
                name="%(app_label)s_inbox_status_has_its_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="%(app_label)s_inbox_due",
                condition=Q(status=Handling.WAITING),
            ),
            models.Index(
                fields=["status", "-id"],
                name="%(app_label)s_inbox_not_done",
                condition=~Q(status=Handling.DONE),
            ),
            models.Index(
                fields=["saga_id"],
                name="%(app_label)s_inbox_saga",
                condition=Q(saga_id__isnull=False),
            ),
            BrinIndex(fields=["received_at"], name="%(app_label)s_inbox_age"),
        ]

    def __str__(self) -> str:
        return f"{self.type} at {self.consumer} ({self.status})"

    @property
    def event(self) -> Event:
        """The event as it came."""
        return Event(
            id=self.event_id,
            type=self.type,
            aggregate=self.aggregate,
            saga_id=self.saga_id,
            payload=self.payload,
            sequence=self.sequence,
            happened_at=self.happened_at,
        )
