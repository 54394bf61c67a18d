"""The mutation gate's table matches the code: what `make mutants` would call broken after hours."""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module

import pytest
from django.db import connections

from tooling.local.instance import REPOSITORY
from tooling.mutants.completeness import unnamed_in_schema, unnamed_in_tests
from tooling.mutants.databases import GUARDS, VARIABLES
from tooling.mutants.excused import SCHEMA, TESTS
from tooling.mutants.patch import Mutant
from tooling.mutants.table import ALL


@cache
def _source(file: str) -> str:
    path = REPOSITORY / file
    return path.read_text() if path.exists() else ""


@cache
def _tests_in(file: str) -> Sequence[str]:
    return [
        node.name for node in ast.parse(_source(file)).body if isinstance(node, ast.FunctionDef)
    ]


def _does_not_fit(mutant: Mutant) -> Iterator[str]:
    changed: dict[str, str] = {}
    for patch in mutant.patches:
        source = changed.get(patch.file, _source(patch.file))
        times = source.count(patch.old)
        if times != 1:
            yield f"{patch.file} has this {times} times, not once:\n{patch.old}"
        changed[patch.file] = source.replace(patch.old, patch.new)
    for source in changed.values():
        ast.parse(source)


def _is_missing(test: str) -> bool:
    path, _, name = test.partition("[")[0].rpartition("::")
    file, _, group = path.partition("::")
    if not group:
        return name not in _tests_in(file)
    # A class has tests of the contract that it inherits.
    module = import_module(file.removesuffix(".py").replace("/", "."))
    return not hasattr(getattr(module, group, None), name)


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_code_that_is_there_and_names_tests_that_are_there(mutant: Mutant) -> None:
    assert list(_does_not_fit(mutant)) == []
    assert list(filter(_is_missing, mutant.tests)) == []
    assert mutant.changes
    assert mutant.tests
    assert {lacks.alias for lacks in mutant.drops} <= set(VARIABLES)


def test_a_mutants_name_is_its_own() -> None:
    assert [name for name, n in Counter(m.name for m in ALL).items() if n > 1] == []


@pytest.mark.django_db(databases="__all__")
def test_what_the_databases_refuse_is_in_the_table_or_excused_and_nothing_else_is() -> None:
    guards: set[tuple[str, str, str]] = set()
    for alias in VARIABLES:
        with connections[alias].cursor() as cursor:
            cursor.execute(GUARDS)
            guards |= {(alias, table, name) for table, name in cursor.fetchall()}
    assert unnamed_in_schema(guards, ALL, SCHEMA) == []
    there = {(alias, name) for alias, _, name in guards}
    dropped = {(lacks.alias, lacks.name) for mutant in ALL for lacks in mutant.drops}
    assert dropped - there == set()


def test_every_test_that_names_its_guard_is_in_the_table_or_excused() -> None:
    assert unnamed_in_tests(REPOSITORY, ALL, TESTS) == []


def test_an_excused_test_is_there() -> None:
    assert list(filter(_is_missing, TESTS)) == []
