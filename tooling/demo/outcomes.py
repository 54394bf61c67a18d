"""How a checkout must end, and what things cost; amounts in minor units."""

from tooling.demo.evidence import Outcome

BLUE_MUG, TEAPOT = 1250, 4900
BOWL = 6800


def completed(total: int, *, held: int = 1) -> Outcome:
    """Return what must be where a checkout went through."""
    return Outcome(
        state="COMPLETE",
        status="completed",
        charged=total,
        refunded=0,
        held=held,
        order="CONFIRMED",
        mails=("confirmation",),
    )


UNDONE = Outcome(
    state="COMPENSATED",
    status="failed",
    charged=0,
    refunded=0,
    held=0,
    order="CANCELLED",
    mails=("apology",),
)
