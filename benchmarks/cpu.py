"""CPU time of the programs that serve checkouts."""

from collections.abc import Mapping

import psutil


class Meter:
    """Adds up the CPU time of process trees, those of their ended children included."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        """Take the process that is at the root of each program."""
        self._roots = roots
        self._begun = self._now()

    def begin(self) -> None:
        """Count from here on."""
        self._begun = self._now()

    def seconds(self) -> dict[str, float]:
        """Return the seconds of CPU of each program since ``begin``."""
        now = self._now()
        return {name: now[name] - self._begun[name] for name in self._roots}

    def _now(self) -> dict[str, float]:
        return {name: _of_tree(psutil.Process(pid)) for name, pid in self._roots.items()}


def _of_tree(root: psutil.Process) -> float:
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            spent = process.cpu_times()
        except psutil.NoSuchProcess:
            continue  # its parent has its time by now
        total += spent.user + spent.system + spent.children_user + spent.children_system
    return total
