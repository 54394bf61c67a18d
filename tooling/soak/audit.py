"""The product's own audit, `manage.py audit`, as one witness among the others."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tooling.local.instance import REPOSITORY

_SECONDS = 600.0
#: 0: nothing found, 1: findings. Anything else: it could not look everywhere.
_LOOKED = (0, 1)


class CannotAudit(Exception):
    """The audit did not say anything; the text has its last words."""


def audit(environment: Mapping[str, str]) -> Mapping[str, Any]:
    """Run the audit over everything; return its JSON: ``ok``, ``findings`` and how far it looked.

    Raises:
        CannotAudit: it broke off, or left something out.
    """
    command = [sys.executable, "manage.py", "audit", "--all", "--json"]
    done = subprocess.run(
        command,
        env=dict(environment),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode not in _LOOKED:
        raise CannotAudit(f"status {done.returncode}: {done.stderr[-2000:]}")
    said: Mapping[str, Any] = json.loads(done.stdout)
    if said["not_looked_at"]:
        raise CannotAudit(f"it did not look at {said['not_looked_at']}")
    return said
