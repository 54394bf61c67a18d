"""The negative control: the same soak over a copy whose guards are off has to find violations."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tooling.local.instance import REPOSITORY, Instance
from tooling.local.ledger import Ledger
from tooling.soak.guards import GUARDS
from tooling.soak.report import NAME
from tooling.soak.verdict import Wrong

_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".data", "__pycache__", ".*_cache", "build")
#: What the instruments must see, or they are blind.
_MUST_SEE = (Wrong.DOUBLED, Wrong.GHOST)


def run(arguments: Sequence[str]) -> int:
    """Run a soak with ``arguments`` on a copy without guards; 0 if the violations were seen."""
    with tempfile.TemporaryDirectory(prefix="mg-") as folder:
        copy = Path(folder, "makegood")
        shutil.copytree(REPOSITORY, copy, ignore=_LEFT_OUT)
        for guard in GUARDS:
            guard.take_away(copy)
            print(f"taken away: {guard.name} ({guard.file})", flush=True)
        report = Path(folder, "report")
        words = [sys.executable, "-m", "tooling", "soak", *arguments, "--report", str(report)]
        with subprocess.Popen(words, cwd=copy) as soak:
            Ledger(Instance("soak").ledger).note("supervisor", soak.pid)
            soak.wait()
        return _judge(report)


def _judge(report: Path) -> int:
    written = list(report.glob(f"{NAME}-*.json"))
    if not written:
        print("the soak without guards did not come to its end, so nothing is known")
        return 1
    said = json.loads(written[0].read_text())
    seen = {wrong: n for wrong, n in said["classes"].items() if n}
    audited = len(said["audit"]["findings"])
    print(f"\nwithout its guards: {seen or 'nothing'}; the audit has {audited} findings")
    blind = [wrong for wrong in _MUST_SEE if wrong not in seen]
    if blind or not audited:
        print(f"NOT SEEN: {', '.join(blind) or 'anything by the audit'}")
        return 1
    print("the instruments see")
    return 0
