"""What shoppers want: every order is drawn from the seed and its number, whoever places it."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

#: What everybody may buy, and of what there is always enough.
PLENTY = tuple(f"SOAK-{n}" for n in range(1, 9))
PLENTIFUL_UNITS = 10_000_000
#: Of every hundred orders the first ten want the same product, of which there are few units.
_BURST_EVERY, _RIVALS, HOT_UNITS = 100, 10, 6
HOT_PRODUCTS = 400
PRICE = 1250


class Fate(StrEnum):
    """How a payment method lets a checkout end, if nobody turns it back."""

    PAID = "paid"
    DECLINED = "declined"
    #: Never paid, and captured after the cancel: it has to be found and refunded.
    GHOST = "captured after the cancel"


@dataclass(frozen=True, kw_only=True)
class Token:
    """A test token of the provider, how it ends, and how often it is drawn."""

    text: str
    fate: Fate = Fate.PAID
    weight: int = 1


#: In the soak; weights are of about a hundred.
TOKENS = (
    Token(text="tok_success", weight=50),
    Token(text="tok_slow_1", weight=6),
    Token(text="tok_slow_3", weight=2),
    Token(text="tok_reply_lost", weight=6),
    Token(text="tok_500_before", weight=5),
    Token(text="tok_500_after", weight=5),
    Token(text="tok_late_success_2", weight=5),
    Token(text="tok_declined", weight=6, fate=Fate.DECLINED),
    Token(text="tok_insufficient_funds", weight=3, fate=Fate.DECLINED),
    Token(text="tok_late_decline_2", weight=3, fate=Fate.DECLINED),
    Token(text="tok_success_after_cancel_3", weight=1, fate=Fate.GHOST),
    Token(text="tok_success_after_decline_3", weight=1, fate=Fate.GHOST),
)
#: Slow, late, and healthy.
SLOW_TOKENS = (
    Token(text="tok_success", weight=4),
    Token(text="tok_slow_1", weight=3),
    Token(text="tok_slow_3", weight=1),
    Token(text="tok_late_success_1", weight=1),
)
#: For checkouts that the operator turns back when they are complete.
REFUND_TOKENS = tuple(
    Token(text=text)
    for text in (
        "tok_success",
        "tok_refund_500_once",
        "tok_refund_500_after",
        "tok_refund_reply_lost",
        "tok_refund_refused_once",
        "tok_refund_late_2",
    )
)


@dataclass(frozen=True, kw_only=True)
class Order:
    """One checkout as its shopper means it.

    ``sends`` is how many equal requests go out at once, ``cancels_after`` the seconds after
    which the shopper cancels it, ``turned_back`` says that the operator undoes it past the pivot.
    """

    number: int
    key: str
    token: str
    fate: Fate
    lines: Mapping[str, int]
    hot: bool = False
    sends: int = 1
    sent_again: bool = False
    wait: int = 0
    cancels_after: float | None = None
    turned_back: bool = False

    @property
    def total(self) -> int:
        """What it costs, in minor units."""
        return PRICE * sum(self.lines.values())

    def body(self) -> dict[str, Any]:
        """Return the request's body."""
        return {
            "email": f"shopper-{self.number}@example.org",
            "shipping_address": {
                "name": "Ada Byron",
                "line1": "1 Analytical Road",
                "city": "London",
                "postal_code": "N1 1AA",
                "country": "GB",
            },
            "lines": [{"sku": sku, "quantity": units} for sku, units in self.lines.items()],
            "payment_token": self.token,
            "expected_total": self.total,
        }

    def as_json(self) -> dict[str, Any]:
        """Return what the shopper's journal keeps of it."""
        return {**asdict(self), "total": self.total}


@dataclass(frozen=True)
class Taste:
    """How orders are drawn; ``plain`` ones are neither cancelled, doubled, hot nor turned back."""

    seed: int
    tokens: Sequence[Token] = field(default=TOKENS)
    plain: bool = False

    def order(self, number: int) -> Order:
        """Return order ``number``, the same for equal seeds."""
        rng = random.Random(f"{self.seed} {number}")
        lines = {sku: rng.randint(1, 3) for sku in rng.sample(PLENTY, rng.choice((1, 1, 2, 3)))}
        token = rng.choices(self.tokens, [token.weight for token in self.tokens])[0]
        key = f"soak-{self.seed}-{number:06}-{rng.getrandbits(64):016x}"
        if self.plain:
            return Order(number=number, key=key, token=token.text, fate=token.fate, lines=lines)
        hot = number % _BURST_EVERY < _RIVALS
        if hot:
            lines[hot_sku(number)] = rng.randint(1, 2)
        turned_back = not hot and rng.random() < 0.03
        if turned_back:
            token = rng.choice(REFUND_TOKENS)
        cancels = not turned_back and rng.random() < (0.5 if token.fate is Fate.GHOST else 0.06)
        return Order(
            number=number,
            key=key,
            token=token.text,
            fate=token.fate,
            lines=lines,
            hot=hot,
            sends=2 if rng.random() < 0.05 else 1,
            sent_again=rng.random() < 0.04,
            wait=rng.choice((1, 3)) if rng.random() < 0.05 else 0,
            cancels_after=round(rng.uniform(0, 1.5), 2) if cancels else None,
            turned_back=turned_back,
        )


def hot_sku(number: int) -> str:
    """Return the hot product that orders of about this number fight over."""
    return f"HOT-{number // _BURST_EVERY % HOT_PRODUCTS + 1:03}"
