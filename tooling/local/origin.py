"""Where a report comes from: the commit, and the machine."""

import os
import platform
import subprocess
from functools import cache

import psutil

from tooling.local.instance import REPOSITORY


@cache
def commit() -> str:
    """Return the commit that this program began with, and whether files differed from it.

    Reports of earlier runs are no difference.
    """
    git = ["git", "-C", str(REPOSITORY)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, check=True
        )
        status = [*git, "status", "--porcelain", "--", ".", ":!docs/evidence"]
        changed = subprocess.run(status, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "a copy without history"
    return head.stdout.decode().strip() + (" with changes" if changed.stdout else "")


def machine() -> str:
    """Return what it ran on, in words."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )
