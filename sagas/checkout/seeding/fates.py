"""How seeded checkouts ended, or where they hang: each fate with its share and its facts."""

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What became of one kind of seeded checkout.

    Args:
        share: of all checkouts, in parts of a million; every fate occurs at least once.
        state: the saga's state, and ``reached`` the forward state that it came to.
        order, stock, payment, mail: the status of each domain's row; empty if there is none.
        waits: what it waits for: lease, expired, backoff, claimed, parked; empty at rest.
        error_step, error_outcome, error_type: its last error, if any.
    """

    share: int
    state: str
    reached: str = ""
    order: str = "PENDING"
    stock: str = ""
    payment: str = ""
    mail: str = ""
    waits: str = ""
    parked: str = ""
    reason: str = ""
    error_step: str = ""
    error_outcome: str = ""
    error_type: str = ""
    given_up: tuple[str, ...] = ()
    version: int = 1

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.state in ("COMPLETE", "COMPENSATED")


_DECLINED = "payments.errors.CardDeclined"
_DOUBT = "payments.errors.PaymentInDoubt"
_MAIL = "notifications.delivery.MailUnavailable"

FATES = (
    Fate(share=920_000, state="COMPLETE", order="CONFIRMED", stock="HELD", payment="SUCCEEDED",
         mail="confirmation"),
    Fate(share=40_000, state="COMPENSATED", reached="INVENTORY_RESERVED", order="CANCELLED",
         stock="RELEASED", payment="CANCELLED", mail="apology", reason="card-declined",
         error_step="charge_payment", error_outcome="refused", error_type=_DECLINED),
    Fate(share=18_000, state="COMPENSATED", reached="ORDER_CREATED", order="CANCELLED",
         mail="apology", reason="out-of-stock", error_step="reserve_inventory",
         error_outcome="refused", error_type="inventory.services.OutOfStock"),
    Fate(share=10_000, state="COMPENSATED", reached="INVENTORY_RESERVED", order="CANCELLED",
         stock="RELEASED", mail="apology", reason="cancelled"),
    Fate(share=3_000, state="COMPENSATED", reached="COMPLETE", order="CANCELLED",
         stock="RELEASED", payment="REFUNDED", mail="apology", reason="operator"),
    Fate(share=3_000, state="COMPENSATED", reached="INVENTORY_RESERVED", order="CANCELLED",
         stock="RELEASED", payment="CANCELLED", mail="apology", reason="deadline",
         error_step="charge_payment", error_outcome="in_doubt", error_type=_DOUBT),
    Fate(share=2_000, state="ORDER_CREATED", waits="lease"),
    Fate(share=600, state="INVENTORY_RESERVED", stock="HELD", waits="claimed"),
    Fate(share=300, state="INVENTORY_RESERVED", stock="HELD", payment="IN_DOUBT",
         waits="backoff", error_step="charge_payment", error_outcome="in_doubt",
         error_type=_DOUBT),
    Fate(share=200, state="ORDER_CONFIRMED", order="CONFIRMED", stock="HELD",
         payment="SUCCEEDED", waits="backoff", error_step="send_confirmation",
         error_outcome="transient", error_type=_MAIL),
    Fate(share=150, state="ORDER_CREATED", waits="expired", error_step="reserve_inventory",
         error_outcome="lost"),
    Fate(share=100, state="COMPENSATING", reached="INVENTORY_RESERVED", stock="HELD",
         payment="REVERSING", waits="backoff", reason="deadline", error_step="charge_payment",
         error_outcome="in_doubt", error_type=_DOUBT),
    Fate(share=100, state="FAILED", reached="PAYMENT_CHARGED", order="CANCELLED",
         stock="RELEASED", payment="REVERSING_HELD", reason="operator",
         given_up=("charge_payment",), error_step="charge_payment", error_outcome="refused",
         error_type="payments.errors.RefundRefused"),
    Fate(share=60, state="ORDER_CONFIRMED", order="CONFIRMED", stock="HELD",
         payment="SUCCEEDED", waits="parked", parked="retries_exhausted",
         error_step="send_confirmation", error_outcome="transient", error_type=_MAIL),
    Fate(share=60, state="ORDER_CONFIRMED", order="CONFIRMED", stock="HELD",
         payment="SUCCEEDED", waits="parked", parked="refused_past_pivot",
         error_step="send_confirmation", error_outcome="refused",
         error_type="notifications.delivery.MailRefused"),
    Fate(share=20, state="ORDER_CREATED", waits="parked", parked="unknown_version", version=99),
    Fate(share=20, state="INVENTORY_RESERVED", stock="HELD", waits="parked", parked="paused"),
)  # fmt: skip


def draw(count: int, chance: random.Random) -> Iterator[Fate]:
    """Yield ``count`` fates by their shares; each at least once if ``count`` allows it."""
    yield from FATES[:count]
    left = max(0, count - len(FATES))
    yield from chance.choices(FATES, weights=[fate.share for fate in FATES], k=left)
