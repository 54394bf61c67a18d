"""Starts the system, records, runs the cases, writes the report, stops the system."""

import argparse
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django

from tooling.crashtest.points import points
from tooling.crashtest.shop import Shop, environment_of, running
from tooling.crashtest.source import product
from tooling.demo.main import forget
from tooling.local.commands import manage, migrate
from tooling.local.instance import CRASH_INSTANCES, REPOSITORY, Instance
from tooling.local.ledger import Ledger
from tooling.local.services import embedded
from tooling.local.stack import Ports

#: The periodic jobs that run by themselves.
_BEATEN = ("sagas.recover", "events.tick")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `make crash-test ARGS=…` may say."""
    parser.add_argument("--times", type=int, default=4, help="children that end at each point")
    parser.add_argument("--worker-times", type=int, default=1, help="workers that end there")
    parser.add_argument("--freeze-times", type=int, default=1, help="frozen there")
    parser.add_argument("--pairs", type=int, default=40, help="cases of two processes; -1: all")
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        choices=range(1, len(CRASH_INSTANCES) + 1),
        help="systems that share the cases; 2 on two cores",
    )
    parser.add_argument("--only", default="", help="a part of the cases' names")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, help="a .md file; a .json is written beside it")
    parser.add_argument(
        "--go-on", type=Path, metavar="JSON", help="an earlier report: run what it lacks"
    )
    parser.add_argument("--order", action="append", default=[], help="one case: its orders")
    parser.add_argument("--scenario", default="", help="one case: its scenario")
    parser.add_argument("--count", type=int, default=1, help="one case: its checkouts")
    parser.add_argument("--list", action="store_true", help="print the points and end")


def main(given: argparse.Namespace) -> int:
    """Run the crash test; 0 only if every case ended as it must."""
    if given.list:
        return _list()
    begun = time.monotonic()
    with opened(CRASH_INSTANCES[0]) as shop:
        # The models can be imported only now that the settings know the servers.
        from tooling.crashtest.crew import helped_by
        from tooling.crashtest.play import play

        with helped_by(given.jobs - 1) as crew:
            return play(shop, crew, given, begun=begun)


@contextmanager
def opened(name: str) -> Iterator[Shop]:
    """Start a fresh system as the instance ``name``, make it this process's own, and stop it."""
    instance = Instance(name)
    forget(instance)
    shutil.rmtree(instance.folder / "plans", ignore_errors=True)
    with embedded(instance):
        Ledger(instance.ledger).note("supervisor", os.getpid())
        ports = Ports.choose()
        environment = environment_of(instance, ports)
        os.environ.update(environment)
        django.setup()
        migrate(environment)
        manage(environment, "load_catalogue")
        _only_what_a_saga_needs()
        with running(instance, ports, environment) as shop:
            yield shop


def _only_what_a_saga_needs() -> None:
    """Let scenarios ask for the other periodic jobs: each passes its points when it is its turn."""
    from django_celery_beat.models import PeriodicTask

    jobs = PeriodicTask.objects.using("default")
    jobs.exclude(task__in=_BEATEN).update(enabled=False)


def _list() -> int:
    for point in points(product(REPOSITORY)):
        print(f"{point.name:<38}{point.kind:<12}{point.where}")
    return 0
