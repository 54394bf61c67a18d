"""Every transaction, hook and query says which database it means; none leaves that to a default.

The router sends most of them to the right place even so, which is why nothing else would notice.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

_FOLDERS = ("sagas", "orders", "inventory", "payments", "notifications")
#: Calls that take the alias as ``using``; without it they mean ``default``.
_TAKES_USING = {"atomic", "on_commit", "save", "refresh_from_db"}
#: ``journal.save`` is a function of ours that names it itself.
_NOT_ROWS = {"journal"}
_MANAGERS = {"objects", "_base_manager", "_default_manager"}
_NAMES_IT = {"using", "db_manager"}

FILES = [
    file.relative_to(settings.BASE_DIR)
    for folder in _FOLDERS
    for file in sorted(Path(settings.BASE_DIR, folder).rglob("*.py"))
    if not {"tests", "migrations"} & set(file.parts)
]


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_transaction_hook_and_query_names_its_database(file: Path) -> None:
    tree = ast.parse(Path(settings.BASE_DIR, file).read_text())
    silent = [f"{file}:{line}" for line in sorted(_silent(tree))]
    assert not silent, f"these do not say which database they mean: {silent}"


def _silent(tree: ast.AST) -> Iterator[int]:
    named = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in _NAMES_IT
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in _MANAGERS and id(node) not in named:
            yield node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr not in _TAKES_USING or _is_no_row(node.func.value):
                continue
            if not any(keyword.arg in ("using", None) for keyword in node.keywords):
                yield node.lineno


def _is_no_row(node: ast.expr) -> bool:
    return ast.unparse(node) in _NOT_ROWS
