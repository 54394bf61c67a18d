"""The supervisor on real processes: what dies is restarted, what is stopped leaves nothing."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.waiting import eventually
from tooling.local.ledger import Ledger
from tooling.local.supervisor import NotReady, Program, Supervisor

#: Starts a child that keeps the output open, says ready, and waits.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("ready", child.pid, flush=True)
time.sleep(600)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


def program(source: str, **changes: object) -> Program:
    given = {"name": "it", "command": [sys.executable, "-c", source], "ready": "ready", **changes}
    return Program(**given)  # type: ignore[arg-type]


def runs(pid: int) -> bool:
    """Tell whether a process does anything; a zombie only waits for its parent to look."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(
        environment={}, folder=tmp_path, logs=tmp_path, ledger=tmp_path / "ledger.json", echo=False
    ) as one:
        yield one


def test_what_dies_is_started_again(supervisor: Supervisor) -> None:
    supervisor.start(program(PARENT))
    supervisor.wait_ready(timeout=20)
    first = supervisor.pid("it")
    supervisor.kill("it")
    supervisor.wait_ready(timeout=20)
    assert supervisor.pid("it") != first
    assert not psutil.pid_exists(first)


def test_a_death_is_seen_though_a_child_keeps_the_output_open(supervisor: Supervisor) -> None:
    supervisor.start(program(PARENT))
    supervisor.wait_ready(timeout=20)
    first, children = supervisor.pid("it"), supervisor.children("it")
    psutil.Process(first).kill()
    eventually(lambda: supervisor.pid("it") != first, timeout=20)
    eventually(lambda: not any(map(runs, children)), timeout=10)


def test_a_stop_takes_the_children_with_it(supervisor: Supervisor) -> None:
    supervisor.start(program(PARENT))
    supervisor.wait_ready(timeout=20)
    everyone = [supervisor.pid("it"), *supervisor.children("it")]
    assert len(everyone) == 2
    supervisor.stop("it")
    eventually(lambda: not any(map(runs, everyone)), timeout=10)


def test_what_does_not_listen_is_killed_after_its_grace(supervisor: Supervisor) -> None:
    supervisor.start(program(DEAF, grace=0.2))
    supervisor.wait_ready(timeout=20)
    pid = supervisor.pid("it")
    supervisor.stop("it")
    assert not psutil.pid_exists(pid)


def test_a_program_that_never_comes_up_is_told_with_its_last_words(supervisor: Supervisor) -> None:
    supervisor.start(program("print('no such thing'); raise SystemExit(3)"))
    with pytest.raises(NotReady, match="no such thing"):
        supervisor.wait_ready(timeout=1)


def test_it_is_ready_when_its_probe_answers_and_not_before(supervisor: Supervisor) -> None:
    supervisor.start(program(PARENT, probe="http://127.0.0.1:9/healthz"))
    with pytest.raises(NotReady, match="does not answer"):
        supervisor.wait_ready(timeout=1)


def test_a_log_begins_anew_with_each_start(tmp_path: Path, supervisor: Supervisor) -> None:
    (tmp_path / "it.log").write_text("of yesterday\n")
    supervisor.start(program(PARENT))
    supervisor.wait_ready(timeout=20)
    assert "of yesterday" not in (tmp_path / "it.log").read_text()


def test_the_ledger_ends_what_a_killed_supervisor_left(
    tmp_path: Path, supervisor: Supervisor
) -> None:
    supervisor.start(program(DEAF))
    supervisor.wait_ready(timeout=20)
    ledger, pid = Ledger(tmp_path / "ledger.json"), supervisor.pid("it")
    supervisor._running["it"].stopped.set()  # as if nobody were there to start it again
    begun = time.monotonic()
    assert ledger.end_all() == [f"it (pid {pid})"]
    assert time.monotonic() - begun < 30
    eventually(lambda: not runs(pid), timeout=10)
    assert ledger.end_all() == []


def test_the_ledger_leaves_a_pid_alone_that_is_somebody_elses_by_now(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.json")
    (tmp_path / "ledger.json").write_text('[{"name": "it", "pid": 1, "born": 1.0}]')
    assert ledger.alive() == []
    assert ledger.end_all() == []
