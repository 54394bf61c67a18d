"""Checkouts a second, and what each costs: the real system works off a backlog.

    make bench    # or: python benchmarks/throughput.py --checkouts 2000 --rounds 3

Embedded servers of its own, the workers of `make run`, the fake provider, the mail catcher. Each
round places its checkouts while the first worker stands still, lets it go, and waits until all are
complete and every consumer has heard of every event. All of it shares this machine.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

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

_numbers = count(1)


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one backlog took.

    Args:
        checkouts: how many.
        placed: checkouts a second that one process took in, without HTTP.
        completed: checkouts a second, from the first step on until all were COMPLETE.
        heard: the same until every consumer had heard of every event.
        cpu: milliseconds of CPU for each checkout until then, by program.
        commits: transactions for each checkout until then, over the five databases.
    """

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
    given = parser.parse_args()
    with _system() as (supervisor, meter):
        _work_off(supervisor, meter, _WARM_UP)
        print("| placed/s | completed/s | heard/s | CPU ms each | commits each |")
        print("|---|---|---|---|---|")
        rounds = []
        for _ in range(given.rounds):
            rounds.append(_work_off(supervisor, meter, given.checkouts))
            print(_line(rounds[-1]), flush=True)
    print("\n| program | CPU ms for each checkout |\n|---|---|")
    for name in rounds[0].cpu:
        print(f"| {name} | {median(each.cpu[name] for each in rounds):.1f} |")
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    _REPORT.write_text(json.dumps([asdict(each) for each in rounds], indent=2))
    return 0


def _line(each: Round) -> str:
    figures = (each.placed, each.completed, each.heard, sum(each.cpu.values()), each.commits)
    return "| " + " | ".join(f"{figure:.1f}" for figure in figures) + " |"


@contextmanager
def _system() -> Iterator[tuple[Supervisor, Meter]]:
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
            roots = {name: supervisor.pid(name) for name in (*WORKERS, "beat", "provider", "mail")}
            roots |= {"postgres": services.postgres.pid, "valkey": services.valkey.pid}
            yield supervisor, Meter(roots)


def _set_up_django() -> None:
    import django

    django.setup()
    from inventory.services import receive_stock

    for sku in _SKUS:
        receive_stock(sku=sku, quantity=_PLENTY)


def _work_off(supervisor: Supervisor, meter: Meter, checkouts: int) -> Round:
    first = supervisor.pid("domain")
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
    # PostgreSQL counts the commits of a session once it has been idle for a moment.
    time.sleep(1.5)
    return Round(
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

    total = 0
    for connection in connections.all():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
            )
            total += cursor.fetchone()[0]
    return total


if __name__ == "__main__":
    sys.exit(main())
