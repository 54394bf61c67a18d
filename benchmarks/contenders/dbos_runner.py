"""Runs the checkout on DBOS: in a virtual environment of its own, on the same servers."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders import runner
from benchmarks.contenders.runner import Contender
from tooling.local.instance import REPOSITORY

_HERE = Path(__file__).parent
_VENV = REPOSITORY / "build" / "bench" / "dbos-venv"
#: Of its executor; more of them gained nothing on two cores.
_THREADS = 16


@contextmanager
def running(environment: Mapping[str, str]) -> Iterator[Contender]:
    """Install it if need be, make its databases, and keep it running.

    Args:
        environment: of our own shop: where PostgreSQL, the provider and the mail server are.
    """
    _install()
    given = {
        **environment,
        **runner.make_databases("dbos", environment),
        "DBOS_THREADS": str(_THREADS),
        "MAIL_ADDRESS": runner.mail_address(environment),
    }
    command = [str(_VENV / "bin" / "python"), str(_HERE / "dbos_shop.py")]
    with runner.running("DBOS", command, given) as contender:
        yield contender


def _install() -> None:
    wanted = _HERE / "requirements-dbos.txt"
    installed = _VENV / "installed"
    if installed.exists() and installed.stat().st_mtime > wanted.stat().st_mtime:
        return
    print("installing DBOS into a virtual environment of its own ...", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", str(_VENV)], check=True)
    pip = [str(_VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(wanted)], check=True)
    installed.touch()
