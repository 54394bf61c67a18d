"""Runs the checkout on DBOS: in a virtual environment of its own, on the same servers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders import runner
from benchmarks.contenders.runner import Contender
from benchmarks.venv import python_with

_HERE = Path(__file__).parent
#: Of its executor; more of them gained nothing on two cores.
_THREADS = 16


@contextmanager
def running(environment: Mapping[str, str]) -> Iterator[Contender]:
    """Install it if need be, make its databases, and keep it running.

    Args:
        environment: of our own shop: where PostgreSQL, the provider and the mail server are.
    """
    given = {
        **environment,
        **runner.make_databases("dbos", environment),
        "DBOS_THREADS": str(_THREADS),
        "MAIL_ADDRESS": runner.mail_address(environment),
    }
    python = python_with(_HERE / "requirements-dbos.txt")
    command = [str(python), "-m", "benchmarks.contenders.dbos_shop"]
    with runner.running("DBOS", command, given) as contender:
        yield contender
