"""`python -m tooling exec`, which `make test` is: it ends in order, however it is ended."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.waiting import eventually
from tooling.local.embedded import Postgres
from tooling.local.instance import REPOSITORY, AlreadyRunning, Instance
from tooling.local.ledger import Ledger

#: Like pytest: cleans up on SIGINT; and leaves a process of its own session behind.
CHILD = """
import subprocess, sys, time
from pathlib import Path
from tooling.local.instance import Instance
from tooling.local.ledger import Ledger
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                        start_new_session=True)
Ledger(Instance("test", Path(sys.argv[1])).ledger).note("left", left.pid)
try:
    Path(sys.argv[1], "up").touch()
    time.sleep(600)
except KeyboardInterrupt:
    Path(sys.argv[1], "cleaned").touch()
    sys.exit(7)
"""
EXECUTE = """
import sys
from pathlib import Path
from tooling.local.commands import execute
from tooling.local.instance import Instance
sys.exit(execute(sys.argv[2:], instance=Instance("test", Path(sys.argv[1]))))
"""


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder with a short path, for the sockets."""
    with tempfile.TemporaryDirectory(prefix="mg") as folder:
        yield Path(folder)


@contextmanager
def _executing(data: Path, *command: str) -> Iterator["subprocess.Popen[str]"]:
    inherited = {name: value for name, value in os.environ.items() if "DATABASE_URL" not in name}
    with subprocess.Popen(
        [sys.executable, "-c", EXECUTE, str(data), *command],
        cwd=REPOSITORY,
        env=inherited,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def test_the_commands_exit_status_is_its_own(data: Path) -> None:
    with _executing(data, sys.executable, "-c", "raise SystemExit(3)") as process:
        assert process.wait(timeout=60) == 3


def test_the_command_finds_five_databases_and_a_broker(data: Path) -> None:
    words = "import os; print(*(n for n in os.environ if n.endswith(('DATABASE_URL', 'ER_URL'))))"
    with _executing(data, sys.executable, "-c", words) as process:
        seen = process.communicate(timeout=60)[0].split()
    assert sorted(seen) == [
        "BROKER_URL", "DATABASE_URL", "INVENTORY_DATABASE_URL", "NOTIFICATIONS_DATABASE_URL",
        "ORDERS_DATABASE_URL", "PAYMENTS_DATABASE_URL",
    ]  # fmt: skip


def test_a_stop_lets_the_command_clean_up_and_leaves_nothing_behind(data: Path) -> None:
    with _executing(data, sys.executable, "-c", CHILD, str(data)) as process:
        eventually((data / "up").exists, timeout=60)
        noted = dict(Ledger(Instance("test", data).ledger).alive())
        assert set(noted) == {"postgres", "valkey", "supervisor", "left"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 7
    assert (data / "cleaned").exists()
    eventually(lambda: not any(psutil.pid_exists(one.pid) for one in noted.values()), timeout=20)


def test_one_process_at_a_time_holds_an_instance(data: Path) -> None:
    instance = Instance("test", data)
    with instance.held(), pytest.raises(AlreadyRunning, match="make stop"), instance.held():
        raise AssertionError("two held it")


def test_servers_left_by_a_killed_holder_are_ended_by_the_next(data: Path) -> None:
    ledger = Ledger(Instance("test", data).ledger)
    with _executing(data, sys.executable, "-c", "import sys; sys.stdin.read()") as process:
        eventually(lambda: "supervisor" in dict(ledger.alive()), timeout=60)
        left = dict(ledger.alive())
        process.kill()
        process.wait()
        assert left["postgres"].is_running()
    with _executing(data, "true") as process:
        assert process.wait(timeout=60) == 0
    assert not psutil.pid_exists(left["postgres"].pid)


def test_a_cluster_that_was_never_finished_is_made_anew(data: Path) -> None:
    instance = Instance("test", data)
    with instance.held():
        postgres = Postgres(instance)
        part = postgres._data.with_name("postgres.part")
        part.mkdir()
        (part / "PG_VERSION").write_text("broken off")
        postgres.start()
        postgres.stop()
        assert not part.exists()
