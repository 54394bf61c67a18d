"""Reads what sagas say: their rows, and the history that must agree with them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.aggregates import StringAgg
from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    Expression,
    F,
    Func,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
    Window,
)
from django.db.models.functions import Cast, Lag, Now

from sagas import journal
from sagas.audit.followers import after, read_followers, revisions_beside
from sagas.audit.profiles import Profile, Wording, profile_of
from sagas.auditor import Claim
from sagas.models import DATABASE, Direction, Outcome, Saga, StepRun
from sagas.participant.among import PAGE, SAGA_KEY, Among, SagaKey

#: A worker that ignores its limit is ended at this many times the limit (``sagas.tasks``).
_LIMITS_AT_THE_MOST = 3


class Said(NamedTuple):
    """The columns of a saga's row that are looked at, in the order in which they are read."""

    saga_id: SagaKey
    kind: str
    version: int
    state: str
    reached: str
    #: Names of steps: with results, undone, given up.
    done: str
    gone: str
    lost: str
    revision: int
    epoch: int
    amount: int
    currency: str
    parked: str
    #: It has a time at which recovery looks at it; that time is past by more than the budget.
    has_time: bool
    is_late: bool
    is_past_deadline: bool
    #: Another saga has its principal and idempotency key.
    is_doubled: bool

    @property
    def wording(self) -> Wording:
        """What many rows say alike."""
        return Wording(*self[1:8])


class Row(NamedTuple):
    """A saga's row: what it claims, what follows from that, and what it says in so many words."""

    claim: Claim
    profile: Profile
    said: Said


class Told(NamedTuple):
    """What history says of one saga; superseded attempts left out."""

    saga_id: SagaKey
    done: str | None
    undone: str | None
    follow_ups: int
    first_epoch: int | None
    last_epoch: int | None


NEVER_TOLD = Told("", None, None, 0, None, None)


class _Names(Func):
    """The keys of a JSON object, joined by spaces; those settled by hand are marked."""

    template = (
        "(SELECT string_agg(CASE WHEN value ? 'by_hand' THEN '!' ELSE '' END || key, ' ')"
        " FROM jsonb_each(%(expressions)s))"
    )
    output_field = CharField()


class _Elements(Func):
    """The elements of a JSON array of texts, joined by spaces."""

    template = "(SELECT string_agg(value, ' ') FROM jsonb_array_elements_text(%(expressions)s))"
    output_field = CharField()


def next_page(after: UUID) -> tuple[Among, bool]:
    """Return the range of the next page of sagas, and whether it is the last."""
    ids = _sagas().filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)
    last = ids[PAGE - 1 : PAGE].first()
    return (Among(after), True) if last is None else (Among(after, last), False)


def read_rows(among: Among) -> Mapping[SagaKey, Row]:
    """Return the sagas among these, by id."""
    read = among.rows(_described(_sagas()), saga="pk")
    rows = {row[0]: _row(Said(*row)) for row in read}
    for saga_id, followers in read_followers(among).items():
        if row := rows.get(saga_id):
            rows[saga_id] = row._replace(claim=after(row.claim, followers))
    return rows


def revisions(saga_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """Return the revision that each of these sagas has by now, its followers' among it."""
    own = dict(_sagas().filter(pk__in=saga_ids).values_list("pk", "revision"))
    beside = revisions_beside(saga_ids)
    return {pk: revision + beside.get(pk, 0) for pk, revision in own.items()}


def read_history(among: Among) -> Mapping[SagaKey, Told]:
    """Return what history says of each of these sagas that has one."""
    runs = StepRun.objects.using(DATABASE).exclude(outcome=Outcome.SUPERSEDED)
    told = (
        runs.order_by()
        .values("saga_id")
        .annotate(
            done=_succeeded(Direction.DO),
            undone=_succeeded(Direction.UNDO),
            follow_ups=Count("pk", filter=_success_of(Direction.FOLLOW_UP)),
            first_epoch=Min("epoch"),
            last_epoch=Max("epoch"),
        )
    )
    read = told.values_list(SAGA_KEY, "done", "undone", "follow_ups", "first_epoch", "last_epoch")
    return {row[0]: Told(*row) for row in among.rows(read)}


def falling_epochs(saga_ids: Sequence[SagaKey]) -> Sequence[SagaKey]:
    """Return those of these sagas in whose history an epoch falls."""
    runs = StepRun.objects.using(DATABASE).exclude(outcome=Outcome.SUPERSEDED)
    before = Window(Lag("epoch"), partition_by="saga_id", order_by="pk")
    fallen = runs.filter(saga_id__in=saga_ids).annotate(before=before).filter(epoch__lt=F("before"))
    return sorted({str(each) for each in fallen.order_by().values_list("saga_id", flat=True)})


def _sagas() -> QuerySet[Saga]:
    return Saga.objects.using(DATABASE).order_by()


def _described(sagas: QuerySet[Saga]) -> QuerySet[Saga, tuple[object, ...]]:
    same = Saga.objects.using(DATABASE).filter(
        kind=OuterRef("kind"),
        principal=OuterRef("principal"),
        idempotency_key=OuterRef("idempotency_key"),
    )
    budget = settings.SAGA_RECOVERY_BUDGET
    longest_attempt = (
        _LIMITS_AT_THE_MOST * settings.OUTSIDE_STEP_TIME_LIMIT + settings.SAGA_LEASE_MARGIN
    )
    described = sagas.alias(overdue_since=journal.DUE_AT).annotate(
        done=_unless_empty("results", {}, _Names("results")),
        gone=_unless_empty("undone", {}, _Names("undone")),
        lost=_unless_empty("given_up", [], _Elements("given_up")),
        has_time=_is(Q(overdue_since__isnull=False)),
        is_late=_is(Q(overdue_since__lt=_ago(budget), parked="")),
        is_past_deadline=_is(Q(deadline_at__lt=_ago(budget + longest_attempt), parked="")),
        is_doubled=Exists(same.exclude(pk=OuterRef("pk"))),
    )
    return described.values_list(Cast("pk", TextField()), *Said._fields[1:])


def _row(said: Said) -> Row:
    profile = profile_of(said.wording)
    claim = Claim(
        saga_id=said.saga_id,
        kind=said.kind,
        state=said.state,
        reached=said.reached,
        revision=said.revision,
        amount=said.amount,
        currency=said.currency,
        parked=said.parked,
        is_due=said.has_time,
        steps=profile.steps,
    )
    return Row(claim, profile, said)


def _unless_empty(field: str, empty: object, names: Func) -> Case:
    """Return the names in a field; most rows have none, and looking costs more than knowing."""
    return Case(When(**{field: empty}, then=Value("")), default=names)


def _is(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False))


def _ago(seconds: float) -> Expression:
    return Now() - Value(timedelta(seconds=seconds))


def _succeeded(direction: Direction) -> StringAgg:
    return StringAgg("step", " ", filter=_success_of(direction), order_by="pk")


def _success_of(direction: Direction) -> Q:
    return Q(direction=direction, outcome=Outcome.SUCCEEDED)
