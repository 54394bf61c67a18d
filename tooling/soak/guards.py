"""Guards of the checkout, each as the small change that takes it away.

The texts stand in the sources word for word, and once; a guard that moved fails the negative
control instead of being left out of it.
"""

from dataclasses import dataclass
from pathlib import Path


class GuardMoved(Exception):
    """The text of a guard is not where it was; the table has to be mended."""


@dataclass(frozen=True)
class Guard:
    """What it keeps from happening, where it stands, and what stands there without it."""

    name: str
    file: str
    old: str
    new: str

    def take_away(self, root: Path) -> None:
        """Change the file below ``root``; GuardMoved unless the text is there exactly once."""
        path = root / self.file
        source = path.read_text()
        if source.count(self.old) != 1:
            raise GuardMoved(f"{self.name}: {source.count(self.old)} times in {self.file}")
        path.write_text(source.replace(self.old, self.new))


#: Of the engine and of the intake.
ENGINE = (
    Guard(
        "stale messages stop",
        "sagas/executor.py",
        """        saga.epoch == attempt.epoch
        and not saga.parked
        and saga.claimed_at is None
        and saga.due_direction""",
        "        saga.due_direction",
    ),
    Guard(
        "writes hit the row that was read",
        "sagas/statements.py",
        "id = %(id)s AND epoch = %(epoch)s AND state = %(seen)s AND revision = %(revision)s",
        "id = %(id)s",
    ),
    Guard(
        "an earlier request is found",
        "sagas/checkout/intake.py",
        "        if earlier is not None:\n",
        "        if False:\n",
    ),
    Guard(
        "one saga a request",
        "sagas/migrations/0001_initial.py",
        "fields=('kind', 'principal', 'idempotency_key'), name='sagas_one_saga_a_request'",
        "fields=('id',), name='sagas_one_saga_a_request'",
    ),
)
#: Of the domains, and of what the engine is told of them.
DOMAINS = (
    Guard(
        "receipts and tombstones",
        "sagas/participant/receipts.py",
        "    if first:\n        return receipt, None\n",
        "    if True:\n        return receipt, None\n",
    ),
    Guard(
        "one reservation a saga",
        "inventory/migrations/0001_initial.py",
        "fields=('saga_id',), name='inventory_one_reservation_a_saga'",
        "fields=('id',), name='inventory_one_reservation_a_saga'",
    ),
    Guard(
        "in doubt is not a no",
        "sagas/checkout/saga.py",
        """            refusals=(CardDeclined, PaymentMethodMissing, RefundRefused),
            in_doubt=(PaymentInDoubt,),
""",
        """            refusals=(CardDeclined, PaymentMethodMissing, RefundRefused, PaymentInDoubt),
""",
    ),
    Guard(
        "a known intent is asked about",
        "payments/calls.py",
        "        if payment.provider_ref:\n",
        "        if False:\n",
    ),
    Guard(
        "the provider is asked first",
        "payments/calls.py",
        "known_intent(payment, search=ask_first)",
        "known_intent(payment, search=False)",
    ),
    Guard(
        "one key for an intent",
        "payments/calls.py",
        "key=operation.idempotency_key,",
        'key=__import__("uuid").uuid4().hex,',
    ),
    Guard(
        "the provider's intent is the one we know",
        "payments/rows.py",
        "known = payment.provider_ref or intent.ref",
        "known = intent.ref",
    ),
    Guard(
        "a mail that was sent is not sent again",
        "notifications/services.py",
        "if (settled := _settled(kind, saga_id)) is not None:",
        "if (settled := _settled(kind, saga_id)) is not None and False:",
    ),
    Guard(
        "one sender a mail",
        "notifications/services.py",
        "rows.filter(_IS_FREE, attempts=message.attempts)",
        "rows.filter(pk=message.pk)",
    ),
)
