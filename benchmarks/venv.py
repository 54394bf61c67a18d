"""Virtual environments of what only benchmarks need: made when they are first asked for."""

import subprocess
import sys
from pathlib import Path

from tooling.local.instance import REPOSITORY


def python_with(requirements: Path) -> Path:
    """Return the Python of an environment in which these requirements are installed."""
    folder = REPOSITORY / "build" / "bench" / f"{requirements.stem}-venv"
    installed, python = folder / "installed", folder / "bin" / "python"
    if installed.exists() and installed.stat().st_mtime > requirements.stat().st_mtime:
        return python
    print(f"installing {requirements.name} into an environment of its own ...", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(requirements)], check=True)
    installed.touch()
    return python
