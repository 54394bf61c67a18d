"""Is every guard in the table? What the databases refuse, and what tests call a guard."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tooling.mutants.patch import Mutant

OUR_TABLES = ("sagas_", "orders_", "inventory_", "payments_", "notifications_")
#: Django makes these itself: for positive integers, one-to-one fields and relations.
_DJANGOS_OWN = ("_check", "_key", "_uniq")
_FOLDERS = ("sagas", "orders", "inventory", "payments", "notifications", "config", "tests")


def unnamed_in_schema(
    guards: set[tuple[str, str, str]], mutants: Sequence[Mutant], excused: Mapping[str, str]
) -> Sequence[str]:
    """Return the constraints, unique keys and triggers of ours that no mutant drops."""
    named = {drop.name for mutant in mutants for drop in mutant.drops}
    return sorted(
        f"{alias}: {name} on {table}"
        for alias, table, name in guards
        if table.startswith(OUR_TABLES)
        and not name.endswith(_DJANGOS_OWN)
        and name not in named
        and name not in excused
    )


def unnamed_in_tests(
    tree: Path, mutants: Sequence[Mutant], excused: Mapping[str, str]
) -> Sequence[str]:
    """Return the tests that name their guard and are named by no mutant."""
    named = {test.partition("[")[0] for mutant in mutants for test in mutant.tests}
    return [test for test in guarded_tests(tree) if test not in named and test not in excused]


def guarded_tests(tree: Path) -> Iterator[str]:
    """Yield the node id of each test whose docstring begins with the name of its guard."""
    for folder in _FOLDERS:
        for file in sorted((tree / folder).rglob("test_*.py")):
            for node in ast.parse(file.read_text()).body:
                if isinstance(node, ast.FunctionDef) and _names_a_guard(node):
                    yield f"{file.relative_to(tree)}::{node.name}"


def _names_a_guard(node: ast.FunctionDef) -> bool:
    return (ast.get_docstring(node) or "").startswith("Guard:")
