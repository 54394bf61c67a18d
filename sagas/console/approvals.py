"""The second pair of eyes: above an amount, another operator has to agree."""

from dataclasses import replace

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import IntegrityError
from django.db.models.functions import Now

from sagas.console.actions import needs_second_approver
from sagas.mandates import Mandate
from sagas.models import DATABASE, Approval, Saga
from sagas.operations import NotNow
from sagas.participant import crash

is_needed = needs_second_approver


def open_one(saga: Saga, verb: str) -> Approval | None:
    """Return what was asked for and is not agreed to yet."""
    return (
        Approval.objects.using(DATABASE)
        .select_related("requested_by")
        .filter(saga=saga, verb=verb, approved_by=None)
        .first()
    )


def refusal(approval: Approval, user: AbstractBaseUser | AnonymousUser) -> str:
    """Return why ``user`` may not agree, empty if they may."""
    if approval.requested_by_id == user.pk:
        return "another operator has to agree"
    may = getattr(user, "has_perm", lambda _: False)("sagas.approve_saga")
    return "" if may else "you lack the permission sagas.approve_saga"


def ask_for(saga: Saga, verb: str, word: Mandate, *, digest: str) -> str:
    """Write down that ``word`` waits for a second operator; return what to tell the first.

    Raises:
        NotNow: somebody has asked for it already.
    """
    if word.operator is None:
        raise NotNow("nobody is signed in")
    try:
        with crash.committing("sagas.ask_for_approval", using=DATABASE):
            Approval.objects.using(DATABASE).create(
                saga=saga,
                verb=verb,
                digest=digest,
                reason=word.reason,
                reference=word.reference,
                requested_by_id=word.operator.pk,
            )
    except IntegrityError as taken:
        raise NotNow("it was asked for already; another operator has to agree") from taken
    return "Nothing was done yet: above this amount another operator has to agree."


def with_both_names(word: Mandate, approval: Approval) -> Mandate:
    """Return the second operator's word with what the first one said."""
    first = f"asked for by {approval.requested_by.get_username()}: {approval.reason}"
    return replace(
        word,
        reason=f"{word.reason} ({first})"[:500],
        reference=word.reference or approval.reference,
    )


def use_up(approval: Approval, *, approved_by: AbstractBaseUser) -> None:
    """Note that the second operator agrees, before the verb is carried out.

    Should the process die in between, both have to be asked anew: what they agreed to is carried
    out once or not at all.

    Raises:
        NotNow: somebody else has agreed already.
    """
    waiting = Approval.objects.using(DATABASE).filter(pk=approval.pk, approved_by=None)
    with crash.statement("sagas.approve", using=DATABASE):
        agreed = waiting.update(approved_by_id=approved_by.pk, approved_at=Now())
    if not agreed:
        raise NotNow("another operator has agreed already")
