"""The receipt row that each domain keeps in its own database."""

from uuid import uuid4

from django.db import models
from django.db.models.functions import Now


class AbstractReceipt(models.Model):
    """Proof that a step's effect was committed, undone, or forbidden for ever.

    One row a (saga, step), written in the transaction of the effect itself. A row with
    ``undone_at`` and without ``done_at`` is a tombstone: the compensation came first, and
    the forward action, should it still come, is refused.
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    saga_id = models.UUIDField()
    step = models.CharField(max_length=64)
    done_at = models.DateTimeField(null=True)
    result = models.JSONField(default=dict)
    undone_at = models.DateTimeField(null=True)
    undo_result = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(fields=["saga_id", "step"], name="%(app_label)s_receipt_once"),
            models.CheckConstraint(
                condition=models.Q(done_at__isnull=False) | models.Q(undone_at__isnull=False),
                name="%(app_label)s_receipt_says_something",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step} of {self.saga_id}"
