"""What is held back on purpose: a step, or the intake of new sagas. Compensation never is."""

from collections.abc import Sequence

from django.contrib.auth.models import AbstractBaseUser

from sagas.models import DATABASE, Switch, SwitchLog
from sagas.participant import crash


def intake_of(kind: str) -> str:
    """Return the name of the switch that holds new sagas of ``kind`` back."""
    return f"intake:{kind}"


def step_of(kind: str, step: str) -> str:
    """Return the name of the switch that holds a forward step back; ``statements.READ`` has it."""
    return f"step:{kind}:{step}"


def is_closed(name: str) -> bool:
    """Tell whether ``name`` is held back just now."""
    return Switch.objects.using(DATABASE).filter(pk=name).exists()


def closed() -> Sequence[Switch]:
    """Return everything that is held back, the longest first."""
    return list(Switch.objects.using(DATABASE).select_related("operator").order_by("since"))


def close(
    name: str, *, operator: AbstractBaseUser, reason: str, address: str | None = None
) -> bool:
    """Hold ``name`` back; False if it was already. The log says who and why."""
    with crash.committing("sagas.close_switch", using=DATABASE):
        _, is_new = Switch.objects.using(DATABASE).get_or_create(
            pk=name, defaults={"operator_id": operator.pk, "reason": reason}
        )
        if is_new:
            _log(name, closed=True, operator=operator, reason=reason, address=address)
    return is_new


def open_again(
    name: str, *, operator: AbstractBaseUser, reason: str = "", address: str | None = None
) -> bool:
    """Let ``name`` go on; False if it was not held back."""
    with crash.committing("sagas.open_switch", using=DATABASE):
        gone, _ = Switch.objects.using(DATABASE).filter(pk=name).delete()
        if gone:
            _log(name, closed=False, operator=operator, reason=reason, address=address)
    return bool(gone)


def _log(
    name: str, *, closed: bool, operator: AbstractBaseUser, reason: str, address: str | None
) -> None:
    SwitchLog.objects.using(DATABASE).create(
        name=name, closed=closed, operator_id=operator.pk, reason=reason, address=address
    )
