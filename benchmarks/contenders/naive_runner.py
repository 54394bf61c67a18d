"""Runs the naive checkout: Celery and the Django ORM of this project, settings of its own."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from benchmarks.contenders import runner
from benchmarks.contenders.runner import Contender


@contextmanager
def running(environment: Mapping[str, str]) -> Iterator[Contender]:
    """Make its databases and keep it running.

    Args:
        environment: of our own shop: where the servers are.
    """
    given = {
        **environment,
        **runner.make_databases("naive", environment),
        "MAIL_ADDRESS": runner.mail_address(environment),
    }
    del given["DJANGO_SETTINGS_MODULE"]
    # Not as __main__: the worker has to know the tasks by the same name.
    begin = "from benchmarks.contenders import naive_shop; naive_shop.main()"
    command = [sys.executable, "-c", begin]
    with runner.running("Celery + ORM", command, given) as contender:
        yield contender
