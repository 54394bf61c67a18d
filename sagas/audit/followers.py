"""What the sagas that follow another one, such as its cancellation, change in what it claims."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import F, QuerySet, Sum, TextField
from django.db.models.functions import Cast

from sagas import registry
from sagas.auditor import Claim, Stands
from sagas.definitions import Consequence
from sagas.models import AT_REST, COMPENSATED, COMPLETE, DATABASE, FAILED, Saga
from sagas.participant.among import Among, SagaKey
from sagas.registry import UnknownDefinition


class Follower(NamedTuple):
    """The columns of a saga that follows another one."""

    follows: SagaKey
    kind: str
    version: int
    state: str
    revision: int
    amount: int
    undone: Mapping[str, Any]

    @property
    def stands(self) -> int:
        """What its undos found given back already, in minor units."""
        return sum(result.get("stands", 0) for result in self.undone.values())


def read_followers(among: Among) -> Mapping[SagaKey, Sequence[Follower]]:
    """Return the sagas that follow these ones, by the id of the one that they follow."""
    read = _followers().values_list(
        Cast("follows", TextField()), "kind", "version", "state", "revision", "amount", "undone"
    )
    found: dict[SagaKey, list[Follower]] = {}
    for row in among.narrow(read, saga="follows"):
        found.setdefault(row[0], []).append(Follower(*row))
    return found


def revisions_beside(saga_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """Return what the followers of these sagas add to the revisions of their claims."""
    followers = _followers().filter(follows__in=saga_ids).values("follows")
    counted = followers.annotate(moves=Sum(F("revision") + 1)).values_list("follows", "moves")
    return {follows: moves for follows, moves in counted if follows is not None}


def followed_by(saga_ids: Sequence[UUID]) -> list[UUID]:
    """Return the sagas that these ones follow."""
    followers = _followers().filter(pk__in=saga_ids)
    followed = followers.values_list("follows", flat=True).distinct()
    return [each for each in followed if each is not None]


def after(claim: Claim, followers: Sequence[Follower]) -> Claim:
    """Return the claim as these followers leave it.

    Its revision counts theirs: whoever of them moves, the claim is another one.
    """
    steps = dict(claim.steps)
    least = most = 0
    is_moving = False
    for each in followers:
        is_moving |= each.state not in AT_REST or each.state == FAILED
        consequence = _consequence_of(each)
        if consequence is None:
            # Newer, or removed, code knows what it does: until then anything may be so.
            steps = {name: _perhaps(stands) for name, stands in steps.items()}
            is_moving = True
            continue
        for step in consequence.undoes & steps.keys():
            steps[step] = _after_undoing(steps[step], each.state)
        if consequence.gives_back:
            sure, perhaps = _given_back(each)
            least, most = least + sure, most + perhaps
    return claim._replace(
        steps=steps,
        revision=claim.revision + sum(each.revision + 1 for each in followers),
        given_back_least=least,
        given_back_most=most,
        is_followed=is_moving,
    )


def _followers() -> QuerySet[Saga]:
    return Saga.objects.using(DATABASE).filter(follows__isnull=False).order_by()


def _consequence_of(follower: Follower) -> Consequence | None:
    """Return what a follower does; None if the running code does not know its definition."""
    try:
        return registry.find(follower.kind, follower.version).consequence
    except UnknownDefinition:
        return None


def _perhaps(stands: Stands) -> Stands:
    return Stands.MAY if stands is Stands.MUST else stands


def _after_undoing(before: Stands, state: str) -> Stands:
    if state == COMPLETE:
        return Stands.NEVER
    return before if state == COMPENSATED else _perhaps(before)


def _given_back(follower: Follower) -> tuple[int, int]:
    """Return what has gone back for certain, and what may have."""
    if follower.state == COMPENSATED:
        return follower.stands, follower.stands
    definition = registry.find(follower.kind, follower.version)
    is_forward = follower.state in definition.states
    is_sure = is_forward and not definition.is_before_pivot(follower.state)
    return (follower.amount if is_sure else 0), follower.amount
