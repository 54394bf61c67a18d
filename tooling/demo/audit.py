"""The audit of what the demo left behind, by the command that monitors call."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tooling.local.instance import REPOSITORY


def audit(environment: Mapping[str, str]) -> tuple[str, list[str]]:
    """Audit everything, from a process of its own.

    Returns:
        What was looked at, in words, and what is wrong, or could not be looked at.
    """
    command = [sys.executable, "manage.py", "audit", "--all", "--json"]
    done = subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    try:
        report: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        return "", [f"the audit ended with {done.returncode}: {done.stderr[-2000:]}"]
    looked_at = report["looked_at"]
    words = f"{looked_at['sagas']} checkouts, {looked_at['charges']} charges at the provider"
    faults = [
        f"{each['severity']}: {each['invariant']} of {each['saga_id']}: {each['what']}"
        for each in report["findings"]
    ]
    return words, faults + [f"not looked at: {source}" for source in report["not_looked_at"]]
