"""What became of a checkout, from four sources that know nothing of each other."""

import email
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from inventory.models import Status as Holding
from inventory.services import holdings
from orders.models import Order
from payments.models import Payment
from payments.services import money_of
from sagas.models import Saga

_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a checkout ended, or must end; amounts in minor units."""

    state: str
    status: str
    charged: int
    refunded: int
    held: int
    order: str
    mails: tuple[str, ...]

    def differences(self, seen: "Outcome") -> list[str]:
        """Say in which points ``seen`` is not what it must be."""
        return [
            f"{name} is {getattr(seen, name)!r}, must be {must!r}"
            for name, must in vars(self).items()
            if getattr(seen, name) != must
        ]


@dataclass(frozen=True, kw_only=True)
class Witnesses:
    """Where the truth is looked up."""

    api: str
    provider: str
    mails: Path

    def outcome(self, checkout_id: UUID, standing: dict[str, Any]) -> Outcome:
        """Gather what the saga, the domains, the API and the mail server say of a checkout.

        Args:
            checkout_id: which one.
            standing: what the API answered its shopper.
        """
        money = money_of(saga_id=checkout_id)
        order = Order.objects.using("orders").filter(saga_id=checkout_id).first()
        held = [h.quantity for h in holdings(saga_id=checkout_id) if h.status == Holding.HELD]
        return Outcome(
            state=str(Saga.objects.using("default").get(pk=checkout_id).state),
            status=standing["status"],
            charged=money.captured,
            refunded=money.refunded,
            held=sum(held),
            order=str(order.status) if order else "none",
            mails=self.mails_of(checkout_id),
        )

    def contradictions(self, checkout_id: UUID, standing: dict[str, Any]) -> list[str]:
        """Say where the provider's ledger or the API tells another story than our payments."""
        money = money_of(saga_id=checkout_id)
        captured, refunded, captures = self._provider_says(checkout_id)
        found = []
        if (captured, refunded) != (money.captured, money.refunded):
            found.append(f"the provider holds {captured} - {refunded}, we say {money}")
        if captures > 1:
            found.append(f"the provider captured {captures} times")
        if (standing["charged"], standing["refunded"]) != (money.captured, money.refunded):
            found.append("the API tells the shopper other amounts")
        return found

    def mails_of(self, checkout_id: UUID) -> tuple[str, ...]:
        """Return the kinds of the mails that arrived, by their Message-ID: a checkout's first."""
        followers = Saga.objects.using("default").filter(follows=checkout_id)
        ids = [checkout_id, *followers.order_by("created_at").values_list("pk", flat=True)]
        files = [file for each in ids for file in sorted(self.mails.glob(f"*{each}*.eml"))]
        heads = [str(email.message_from_bytes(file.read_bytes())["Message-ID"]) for file in files]
        return tuple(message_id.strip("<>").partition(".")[0] for message_id in heads)

    def _provider_says(self, checkout_id: UUID) -> tuple[int, int, int]:
        payment = Payment.objects.using("payments").filter(saga_id=checkout_id).first()
        if payment is None:
            return 0, 0, 0
        books = httpx.get(f"{self.provider}/v1/ledger", timeout=_SECONDS).json()
        mine = [i for i in books["intents"] if i["metadata"].get("payment_id") == str(payment.pk)]
        refs = {intent["id"] for intent in mine}
        captures = [c for ref in refs for c in books["captures"].get(ref, ())]
        refunds = [
            r["amount"]
            for r in books["refunds"]
            if r["payment_intent"] in refs and r["status"] == "succeeded"
        ]
        return sum(c["amount"] for c in captures), sum(refunds), len(captures)
