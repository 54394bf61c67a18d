"""A plan lets a process die, or freeze, at the passes of a crash point that it names."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from sagas.participant import crash
from sagas.participant.crash import Moment
from sagas.participant.crash_plan import FolderPlan, How

_PASSER = """
import sys
from pathlib import Path
from sagas.participant import crash
from sagas.participant.crash_plan import FolderPlan

crash.arm(FolderPlan(Path(sys.argv[1])))
for _ in range(int(sys.argv[2])):
    with crash.calling("toy.call"):
        print("called", flush=True)
"""


def passer(folder: Path, times: int) -> "subprocess.Popen[str]":
    """Start a process that passes one point some times, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _PASSER, str(folder), str(times)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_process_dies_before_the_call_of_the_armed_pass(tmp_path: Path) -> None:
    plan = FolderPlan(tmp_path)
    plan.arm("toy.call", Moment.BEFORE, {How.EXIT: [3]})
    process = passer(tmp_path, 5)
    out, _ = process.communicate(timeout=30)
    assert out.splitlines() == ["called", "called"]
    assert process.returncode == 70
    assert [(hit.point, hit.moment, hit.pid) for hit in plan.hits()] == [
        ("toy.call", Moment.BEFORE, process.pid)
    ]


def test_passes_are_counted_over_all_processes(tmp_path: Path) -> None:
    plan = FolderPlan(tmp_path)
    plan.arm("toy.call", Moment.AFTER, {How.KILL: [2, 4]})
    codes = []
    for _ in range(4):
        process = passer(tmp_path, 1)
        process.communicate(timeout=30)
        codes.append(process.returncode)
    assert codes == [0, -signal.SIGKILL, 0, -signal.SIGKILL]


def test_a_frozen_process_goes_on_when_it_is_woken(tmp_path: Path) -> None:
    plan = FolderPlan(tmp_path)
    plan.arm("toy.call", Moment.BEFORE, {How.FREEZE: [1]})
    process = passer(tmp_path, 1)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    os.kill(process.pid, signal.SIGCONT)
    out, _ = process.communicate(timeout=30)
    assert out.splitlines() == ["called"]


def test_some_passes_end_one_way_and_some_another(tmp_path: Path) -> None:
    plan = FolderPlan(tmp_path)
    plan.arm("toy.call", Moment.AFTER, {How.EXIT: [1], How.KILL: [2]})
    codes = []
    for _ in range(2):
        process = passer(tmp_path, 1)
        process.communicate(timeout=30)
        codes.append(process.returncode)
    assert codes == [70, -signal.SIGKILL]
    assert [hit.how for hit in plan.hits()] == [How.EXIT, How.KILL]


def test_a_recording_has_every_pass_until_it_is_read(tmp_path: Path) -> None:
    plan = FolderPlan(tmp_path)
    plan.record()
    process = passer(tmp_path, 1)
    process.communicate(timeout=30)
    mine = [(process.pid, Moment.BEFORE), (process.pid, Moment.AFTER)]
    assert [(each.pid, each.moment) for each in plan.recorded()] == mine
    passer(tmp_path, 1).communicate(timeout=30)
    assert len(plan.recorded()) == len(mine)


def test_what_is_disarmed_lets_everybody_pass(tmp_path: Path) -> None:
    plan = FolderPlan(tmp_path)
    plan.arm("toy.call", Moment.BEFORE, {How.EXIT: [1]})
    plan.disarm("toy.call", Moment.BEFORE)
    process = passer(tmp_path, 1)
    out, _ = process.communicate(timeout=30)
    assert (out.splitlines(), process.returncode) == (["called"], 0)


@pytest.mark.django_db(databases=["default"], transaction=True)
def test_a_commit_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="name the commit"), crash.committing("", using="default"):
        pass


@pytest.mark.parametrize(("environment", "faults"), [("test", []), ("development", ["sagas.E010"])])
def test_a_plan_is_refused_outside_of_tests(
    settings: Settings, environment: str, faults: list[str]
) -> None:
    settings.CRASH_PLAN, settings.ENVIRONMENT = "/somewhere", environment
    assert [fault.id for fault in run_checks() if fault.id == "sagas.E010"] == faults
