"""An operator's word on a saga: who, why, from where, and what they saw when they decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser

from sagas.models import DATABASE, OperatorAction, Saga
from sagas.operations import NotNow
from sagas.participant import crash


class Changed(NotNow):
    """The saga moved on between the look and the word."""

    code = "changed"


@dataclass(frozen=True, kw_only=True)
class Mandate:
    """An operator's word.

    Args:
        operator: who; None only for the system's own tests and scripts.
        reason: why, in words without personal data.
        reference: evidence outside of the system, such as a bank's reference.
        address: from which IP address.
        seen: epoch and revision that the operator looked at; None skips the comparison.
        preview: the calls that the operator was shown.
        verdict: what the domains said then.
    """

    operator: AbstractBaseUser | None
    reason: str = ""
    reference: str = ""
    address: str | None = None
    seen: tuple[int, int] | None = None
    preview: Sequence[Mapping[str, Any]] = ()
    verdict: Mapping[str, Any] | None = None


def must_be_as_seen(saga: Saga, mandate: Mandate) -> None:
    """Compare the saga with what the operator saw.

    Raises:
        Changed: it moved on since.
    """
    if mandate.seen is not None and mandate.seen != (saga.epoch, saga.revision):
        raise Changed(
            f"it has moved on since you looked: it is {saga.parked or saga.state} now. "
            "Nothing was done; look again and decide anew"
        )


def write_log(
    saga_id: UUID, verb: str, mandate: Mandate, effect: str, *, state: str, epoch: int
) -> OperatorAction:
    """Write what was done into the operator log; ``state`` and ``epoch`` are from before."""
    with crash.statement("sagas.log_action", using=DATABASE):
        return OperatorAction.objects.using(DATABASE).create(
            saga_id=saga_id,
            verb=verb,
            operator_id=mandate.operator.pk if mandate.operator else None,
            address=mandate.address,
            reason=mandate.reason,
            reference=mandate.reference,
            effect=effect,
            state=state,
            epoch=epoch,
            preview=list(mandate.preview),
            verdict=dict(mandate.verdict or {}),
        )
