"""What it means to a checkout that the provider's ledger tells another story."""

from uuid import UUID

from django.urls import reverse

from payments.services import Disagreement
from sagas.auditor import Claim, Fault, Mend, Severity
from sagas.checkout.audit.rules import PAYMENTS
from sagas.models import COMPENSATED, COMPLETE, FAILED

PROVIDER = "provider"


def ledger_fault(claim: Claim, said: Disagreement) -> Fault | None:
    """The provider's ledger tells the same story, once nothing moves any more.

    A moving saga is about to find out by itself; but what we have written as done must be
    there from the first moment on.
    """
    at_rest = claim.state in (COMPLETE, COMPENSATED) and not claim.is_followed
    waits = claim.state == FAILED or bool(claim.parked)
    is_known_to_come = said.rule in ("captured-there-not-here", "refunded-there-not-here")
    if is_known_to_come and not at_rest and not waits:
        return None
    severity = Severity.WAITS if is_known_to_come and not at_rest else Severity.VIOLATION
    return Fault(
        saga_id=UUID(claim.saga_id),
        invariant=said.rule,
        what=said.what,
        sources=(PROVIDER, PAYMENTS),
        amount=said.amount,
        currency=said.currency,
        severity=severity,
        mend=_ledger_mend(claim, said),
        subject=said.ref,
        page=reverse("admin:sagas_saga_change", args=[claim.saga_id]),
    )


def stranger_fault(said: Disagreement) -> Fault:
    """Every charge has an earlier payment of ours."""
    return Fault(
        saga_id=None,
        invariant=said.rule,
        what=said.what,
        sources=(PROVIDER, PAYMENTS),
        amount=said.amount,
        currency=said.currency,
        subject=said.ref,
        page=f"{reverse('admin:payments_payment_changelist')}?q={said.ref}",
    )


def _ledger_mend(claim: Claim, said: Disagreement) -> Mend:
    if said.rule == "captured-there-not-here":
        return Mend.ASK
    if said.rule == "refunded-there-not-here" and claim.state == COMPLETE and not said.held:
        return Mend.COMPENSATE  # finds the refund that was made, and undoes the rest
    if said.rule == "refunded-there-not-here" and claim.state != COMPENSATED:
        return Mend.ASK  # records what somebody gave back in the provider's dashboard
    return Mend.BY_HAND
