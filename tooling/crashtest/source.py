"""Reads the product's source: which function a call means, and what encloses it."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

#: The packages that are shipped, and the folders in them that no running shop passes through.
PRODUCT = ("config", "sagas", "orders", "inventory", "payments", "notifications")
_NOT_IN_A_SHOP = {"tests", "migrations", "seeding"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Place:
    """One call in the source, with the nodes that enclose it, the outermost first."""

    module: "Module"
    call: ast.Call
    around: tuple[ast.AST, ...]

    @property
    def where(self) -> str:
        """Return the file and the line."""
        return f"{self.module.path}:{self.call.lineno}"

    @property
    def function(self) -> Function | None:
        """Return the innermost function that the call stands in."""
        found = [node for node in self.around if isinstance(node, Function)]
        return found[-1] if found else None

    @property
    def held_by(self) -> list[ast.Call]:
        """Return the context managers, called in place, whose block the call stands in.

        A block does not reach into a function that is only defined in it.
        """
        managers: list[ast.Call] = []
        for node, inner in zip(self.around, (*self.around[1:], self.call), strict=True):
            if isinstance(node, Function | ast.Lambda):
                managers.clear()
            elif isinstance(node, ast.With) and not isinstance(inner, ast.withitem):
                calls = [i.context_expr for i in node.items]
                managers += [call for call in calls if isinstance(call, ast.Call)]
        return managers


@dataclass(frozen=True)
class Module:
    """One file of the source; ``path`` is relative to the repository, ``name`` dotted."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Return the dotted name by which it is imported."""
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.text)

    @cached_property
    def functions(self) -> Mapping[str, Function]:
        """Its functions, the outermost ones, by name."""
        return {node.name: node for node in self.tree.body if isinstance(node, Function)}

    @cached_property
    def calls(self) -> list[Place]:
        """Every call in it."""
        return [
            Place(self, node, around)
            for node, around in _walk(self.tree, ())
            if isinstance(node, ast.Call)
        ]

    @cached_property
    def imported(self) -> Mapping[str, str]:
        """What its names of other modules mean: name -> dotted path."""
        found = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    found[alias.asname or alias.name.partition(".")[0]] = alias.name
        return found

    def meant_by(self, node: ast.expr) -> str:
        """Return the dotted path of what is called; empty when that cannot be told."""
        match node:
            case ast.Name(id=name) if name in self.functions:
                return f"{self.name}.{name}"
            case ast.Name(id=name):
                return self.imported.get(name, "")
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in self.imported:
                return f"{self.imported[name]}.{attribute}"
        return ""


def product(repository: Path) -> list[Module]:
    """Return every module that a running shop can pass through."""
    paths = [
        path.relative_to(repository)
        for package in PRODUCT
        for path in sorted((repository / package).rglob("*.py"))
    ]
    return [
        Module(path, (repository / path).read_text())
        for path in paths
        if not _NOT_IN_A_SHOP.intersection(path.parts)
    ]


def _walk(
    node: ast.AST, around: tuple[ast.AST, ...]
) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    yield node, around
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, (*around, node))
