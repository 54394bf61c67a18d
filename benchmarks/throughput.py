"""Checkouts a second, and what each costs: the real system works off a backlog, beside DBOS.

    make bench    # or: python benchmarks/throughput.py --checkouts 2000 --rounds 3

Embedded servers of its own, the workers of `make run`, the fake provider, the mail catcher. Each
round places its checkouts while the first worker stands still, lets it go, and waits until all are
complete and every consumer has heard of every event. Then the checkout on DBOS works off as many on
the same servers (benchmarks/contenders). All of it shares this machine: the ratio is the figure.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.contenders import dbos_runner
from benchmarks.contenders.dbos_runner import DbosShop
from benchmarks.cpu import Meter
from tooling.demo.main import forget
from tooling.local import stack
from tooling.local.commands import manage, migrate
from tooling.local.instance import REPOSITORY, Instance
from tooling.local.ledger import Ledger
from tooling.local.services import embedded
from tooling.local.stack import WORKERS, Ports, journal_of, mails_of, supervise
from tooling.local.supervisor import Supervisor

_LOOK_EVERY = 0.1
_PATIENCE = 300.0
_WARM_UP = 50
_PLENTY = 1_000_000
_SKUS = ("MUG-BLUE", "TEAPOT", "TOWEL")
_REPORT = REPOSITORY / "build" / "bench" / "throughput.json"
#: Of the checkout on DBOS; more of them gained nothing on two cores.
_DBOS_THREADS = 16

#: PostgreSQL counts the commits of a session once it has been idle for a moment; in seconds.
_COUNTED_AFTER = 1.5
_OURS = "Makegood"

_numbers = count(1)


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one backlog took.

    Args:
        contender: who worked it off.
        checkouts: how many.
        placed: checkouts a second that one process took in, without HTTP.
        completed: checkouts a second, from the first step on until all were COMPLETE.
        heard: the same until every consumer had heard of every event.
        cpu: milliseconds of CPU for each checkout until then, by program.
        commits: transactions for each checkout until then, over all databases.
    """

    contender: str
    checkouts: int
    placed: float
    completed: float
    heard: float
    cpu: dict[str, float]
    commits: float


def main() -> int:
    """Measure, print a table, write build/bench/throughput.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkouts", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="without DBOS")
    given = parser.parse_args()
    with _system() as system, ExitStack() as beside:
        other = None
        if not given.alone:
            other = beside.enter_context(
                dbos_runner.running(system.environment, threads=_DBOS_THREADS)
            )
        _work_off(system, _WARM_UP)
        print("| | placed/s | completed/s | heard/s | CPU ms each | commits each |")
        print("|---|---|---|---|---|---|")
        rounds = []
        for _ in range(given.rounds):
            rounds.append(_work_off(system, given.checkouts))
            print(_line(rounds[-1]), flush=True)
            if other is not None:
                rounds.append(_work_off_by(other, system, given.checkouts))
                print(_line(rounds[-1]), flush=True)
    _tell(rounds)
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    _REPORT.write_text(json.dumps([asdict(each) for each in rounds], indent=2))
    return 0


def _line(each: Round) -> str:
    figures = (each.placed, each.completed, each.heard, sum(each.cpu.values()), each.commits)
    return f"| {each.contender} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |"


def _tell(rounds: Sequence[Round]) -> None:
    ours = [each for each in rounds if each.contender == _OURS]
    theirs = [each for each in rounds if each.contender != _OURS]
    print("\n| program | CPU ms for each checkout |\n|---|---|")
    for name in ours[0].cpu:
        print(f"| {name} | {median(each.cpu[name] for each in ours):.1f} |")
    if theirs:
        ratios = [one.completed / other.completed for one, other in zip(ours, theirs, strict=True)]
        told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"\ncompleted/s, ours to DBOS: median {median(ratios):.2f} of {told}")


@dataclass(frozen=True, kw_only=True)
class System:
    """What is measured, with its servers."""

    supervisor: Supervisor
    environment: Mapping[str, str]
    #: program -> its process
    roots: Mapping[str, int]
    servers: Mapping[str, int]


@contextmanager
def _system() -> Iterator[System]:
    """Run a fresh system, without its web server."""
    instance = Instance("bench")
    forget(instance)
    with embedded(instance) as services:
        Ledger(instance.ledger).note("supervisor", os.getpid())
        ports = Ports.choose()
        environment = {**os.environ, **instance.environment(), **ports.environment()}
        os.environ.update(environment)
        migrate(environment)
        manage(environment, "load_catalogue")
        with supervise(instance, environment, echo=False) as supervisor:
            supervisor.start(stack.provider(journal_of(instance), ports))
            supervisor.start(stack.mailcatcher(mails_of(instance), ports))
            for name in WORKERS:
                supervisor.start(stack.worker(name))
            supervisor.start(stack.beat())
            supervisor.wait_ready()
            _set_up_django()
            servers = {name: supervisor.pid(name) for name in ("provider", "mail")}
            servers |= {"postgres": services.postgres.pid, "valkey": services.valkey.pid}
            roots = {name: supervisor.pid(name) for name in (*WORKERS, "beat")}
            yield System(
                supervisor=supervisor, environment=environment, roots=roots, servers=servers
            )


def _set_up_django() -> None:
    import django

    django.setup()
    from inventory.services import receive_stock

    for sku in _SKUS:
        receive_stock(sku=sku, quantity=_PLENTY)


def _work_off_by(other: DbosShop, system: System, checkouts: int) -> Round:
    """Let the checkout on DBOS do as many; it places them as it completes them."""
    meter = Meter({"dbos": other.pid, **system.servers})
    commits = _commits()
    meter.begin()
    seconds = other.run(checkouts)
    spent = meter.seconds()
    time.sleep(_COUNTED_AFTER)
    return Round(
        contender="DBOS",
        checkouts=checkouts,
        placed=checkouts / seconds,
        completed=checkouts / seconds,
        heard=checkouts / seconds,
        cpu={name: 1000 * seconds / checkouts for name, seconds in spent.items()},
        commits=(_commits() - commits) / checkouts,
    )


def _work_off(system: System, checkouts: int) -> Round:
    first = system.supervisor.pid("domain")
    meter = Meter({**system.roots, **system.servers})
    os.killpg(first, signal.SIGSTOP)
    begun = time.monotonic()
    for _ in range(checkouts):
        _place()
    placed = time.monotonic() - begun
    commits = _commits()
    meter.begin()
    begun = time.monotonic()
    os.killpg(first, signal.SIGCONT)
    _until(_all_complete)
    completed = time.monotonic() - begun
    _until(_all_heard)
    heard = time.monotonic() - begun
    spent = meter.seconds()
    time.sleep(_COUNTED_AFTER)
    return Round(
        contender=_OURS,
        checkouts=checkouts,
        placed=checkouts / placed,
        completed=checkouts / completed,
        heard=checkouts / heard,
        cpu={name: 1000 * seconds / checkouts for name, seconds in spent.items()},
        commits=(_commits() - commits) / checkouts,
    )


def _place() -> None:
    from sagas.checkout import intake

    number = next(_numbers)
    body = {
        "email": "ada@example.org",
        "shipping_address": {
            "name": "Ada",
            "line1": "1 Road",
            "line2": "",
            "city": "Bath",
            "postal_code": "BA1",
            "country": "GB",
        },
        "payment_token": "tok_success",
        "lines": [
            {"sku": _SKUS[number % len(_SKUS)], "quantity": 1},
            {"sku": _SKUS[(number + 1) % len(_SKUS)], "quantity": 2},
        ],
    }
    intake.place(principal="bench", idempotency_key=f"bench-{number}", body=body)


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit(f"{done.__name__} is not so after {_PATIENCE:g} s")
        time.sleep(_LOOK_EVERY)


def _all_complete() -> bool:
    from sagas.models import COMPLETE, DATABASE, Saga

    return not Saga.objects.using(DATABASE).exclude(state=COMPLETE).exists()


def _all_heard() -> bool:
    from django.db.models import Count

    from sagas.events import registry
    from sagas.events.models import Handling

    told = heard = 0
    for outbox in registry.outboxes():
        types = outbox._base_manager.using(outbox.database).values_list("type")
        for kind, number in types.annotate(Count("sequence")).order_by():
            told += number * len(registry.consumers_of(kind))
    for inbox in registry.inboxes():
        entries = inbox._base_manager.using(inbox.database)
        heard += entries.filter(status=Handling.DONE).count()
    return heard >= told


def _commits() -> int:
    from django.db import connections

    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT sum(xact_commit) FROM pg_stat_database")
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    sys.exit(main())
