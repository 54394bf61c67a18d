"""The negative control: the same soak over copies whose guards are off has to find violations."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tooling.local.instance import REPOSITORY, Instance
from tooling.local.ledger import Ledger
from tooling.soak.guards import DOMAINS, ENGINE, Guard
from tooling.soak.report import NAME
from tooling.soak.verdict import Wrong

_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".data", "__pycache__", ".*_cache", "build")
#: What the instruments must see, or they are blind.
_MUST_SEE = (Wrong.DOUBLED, Wrong.GHOST)
LAYERS = {"the engine": ENGINE, "the domains": DOMAINS}


def run(arguments: Sequence[str]) -> int:
    """Run a soak with ``arguments`` on a copy without guards; 0 if the violations were seen.

    Once without the engine's guards and once without the domains': without both, messages breed
    until nothing gets as far as a charge.
    """
    seen: Counter[str] = Counter()
    audited = 0
    for name, guards in LAYERS.items():
        said = _soak_without(name, guards, arguments)
        if said is None:
            print("the soak without guards did not come to its end, so nothing is known")
            return 1
        seen += Counter(said["classes"])
        audited += len(said["audit"]["findings"])
    print(f"\nwithout guards: {dict(seen) or 'nothing'}; the audit has {audited} findings")
    blind = [wrong for wrong in _MUST_SEE if wrong not in seen]
    if blind or not audited:
        print(f"NOT SEEN: {', '.join(blind) or 'anything by the audit'}")
        return 1
    print("the instruments see")
    return 0


def _soak_without(
    name: str, guards: Sequence[Guard], arguments: Sequence[str]
) -> Mapping[str, Any] | None:
    """Return the report of a soak on a copy without these guards; None if there is none."""
    with tempfile.TemporaryDirectory(prefix="mg-") as folder:
        copy = Path(folder, "makegood")
        shutil.copytree(REPOSITORY, copy, ignore=_LEFT_OUT)
        print(f"\nwithout the guards of {name}:")
        for guard in guards:
            guard.take_away(copy)
            print(f"taken away: {guard.name} ({guard.file})", flush=True)
        report = Path(folder, "report")
        words = [sys.executable, "-m", "tooling", "soak", *arguments, "--report", str(report)]
        instance = Instance("soak")
        instance.make_folders()
        with subprocess.Popen(words, cwd=copy) as soak:
            Ledger(instance.ledger).note("supervisor", soak.pid)
            soak.wait()
        written = list(report.glob(f"{NAME}-*.json"))
        return json.loads(written[0].read_text()) if written else None
