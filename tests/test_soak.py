"""A brief soak: one fault of each kind over a real system, and books that agree in the end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tooling.local.instance import REPOSITORY
from tooling.soak.plan import Kind


@pytest.mark.timeout(900)
def test_a_brief_soak_finds_nothing_wrong(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if "DATABASE" not in name}
    words = ["soak", "--brief", "100", "--seed", "1", "--report", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "tooling", *words],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    said = json.loads((tmp_path / "soak-1.json").read_text())
    assert said["accepted"] >= 100
    assert set(said["faults"]) == set(Kind)
    assert set(said["classes"].values()) == {0}
