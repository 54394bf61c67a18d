"""How a guard is taken away: a change of the source, or of a database's schema. Values only."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class DoesNotFit(Exception):
    """The source is not what the table says any more; the text says what to look at."""


@dataclass(frozen=True)
class Patch:
    """Replaces ``old``, which must be there exactly once, by ``new``; ``file`` is from the root."""

    file: str
    old: str
    new: str

    def apply(self, tree: Path) -> None:
        """Change the file in a copy of the tree.

        Raises:
            DoesNotFit: the old text is not there, or is there more than once.
        """
        path = tree / self.file
        text = path.read_text()
        times = text.count(self.old)
        if times != 1:
            raise DoesNotFit(f"{self.file} has this {times} times, not once:\n{self.old}")
        path.write_text(text.replace(self.old, self.new))

    def __str__(self) -> str:
        return self.file


@dataclass(frozen=True)
class Lacks:
    """Drops a constraint, a unique index or a trigger, as a later migration would.

    ``alias`` is the database's, ``name`` the constraint's, index's or trigger's own.
    """

    alias: str
    name: str

    def __str__(self) -> str:
        return f"{self.alias}: {self.name}"


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One guard taken away.

    Args:
        name: short and unique; ARGS names it.
        guard: what is gone, in words.
        changes: patches and drops; more than one where two guards cover for each other.
        tests: node ids, each of which must fail.
    """

    name: str
    guard: str
    changes: Sequence[Patch | Lacks]
    tests: Sequence[str]

    @property
    def patches(self) -> Sequence[Patch]:
        """The changes of the source."""
        return [change for change in self.changes if isinstance(change, Patch)]

    @property
    def drops(self) -> Sequence[Lacks]:
        """The changes of the schema."""
        return [change for change in self.changes if isinstance(change, Lacks)]


def remove(name: str, guard: str, file: str, old: str, new: str, *tests: str) -> Mutant:
    """Return the mutant of one patch."""
    return Mutant(name=name, guard=guard, changes=[Patch(file, old, new)], tests=tests)
