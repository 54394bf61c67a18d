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
from tooling.local.origin import commit, machine
from tooling.soak.guards import DOMAINS, ENGINE, Guard
from tooling.soak.report import NAME
from tooling.soak.verdict import Wrong

_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".data", "__pycache__", ".*_cache", "build")
#: What the instruments must see, or they are blind.
_MUST_SEE = (Wrong.DOUBLED, Wrong.GHOST)
LAYERS = {"the engine": ENGINE, "the domains": DOMAINS}


def run(arguments: Sequence[str], *, command: str, folder: Path | None) -> int:
    """Run soaks on copies without guards; 0 if the violations were seen.

    Once without the engine's guards and once without the domains': without both, messages breed
    until nothing gets as far as a charge.

    Args:
        arguments: of both soaks.
        command: by which this was asked for.
        folder: where to write a report; None writes none.
    """
    said = {}
    for layer, guards in LAYERS.items():
        one = _soak_without(layer, guards, arguments)
        if one is None:
            print("the soak without guards did not come to its end, so nothing is known")
            return 1
        said[layer] = one
    seen = sum((Counter(one["classes"]) for one in said.values()), Counter())
    audited = sum(len(one["audit"]["findings"]) for one in said.values())
    not_seen = [str(wrong) for wrong in _MUST_SEE if not seen[wrong]]
    if not audited:
        not_seen.append("anything by the audit")
    page = _page(said, command=command, not_seen=not_seen)
    print(f"\n{page}")
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "negative-control.md").write_text(page)
    return 1 if not_seen else 0


def _page(said: Mapping[str, Mapping[str, Any]], *, command: str, not_seen: Sequence[str]) -> str:
    verdict = f"NOT SEEN: {', '.join(not_seen)}" if not_seen else "the instruments see"
    lines = [
        f"# Negative control: {verdict}",
        "",
        f"`{command}` at {commit()}, on {machine()}. Each column is a soak over a copy without",
        "some of its guards; these violations are what the instruments saw.",
        "",
        f"| | {' | '.join(f'without the guards of {layer}' for layer in said)} |",
        f"|---|{'---|' * len(said)}",
    ]
    rows: dict[str, Mapping[str, object]] = {
        "taken away": {layer: ", ".join(g.name for g in LAYERS[layer]) for layer in said},
        "checkouts accepted": {layer: one["accepted"] for layer, one in said.items()},
        **{wrong: {layer: one["classes"][wrong] for layer, one in said.items()} for wrong in Wrong},
        "findings of the audit": {
            layer: len(one["audit"]["findings"]) for layer, one in said.items()
        },
    }
    lines += [
        f"| {name} | {' | '.join(str(row[layer]) for layer in said)} |"
        for name, row in rows.items()
    ]
    return "\n".join(lines) + "\n"


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
