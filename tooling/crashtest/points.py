"""The crash points, read from the source, and what changes the world there without one."""

import ast
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tooling.crashtest.source import Function, Module, Place

_KIT = "sagas.participant.crash"
#: The kit itself: its functions pass names on.
_NOT_READ = (_KIT, f"{_KIT}_plan")
_PARAMETER = "point"


class Kind(StrEnum):
    """What happens at a point."""

    COMMIT = "commit"
    STATEMENT = "statement"
    CALL = "call"


@dataclass(frozen=True, kw_only=True)
class Point:
    """A moment at which a process may die; ``where`` is its file and line."""

    name: str
    kind: Kind
    where: str


@dataclass(frozen=True)
class _Door:
    """A function that takes a point's name, at this position of its arguments or by keyword."""

    position: int
    kind: Kind


class BadName(Exception):
    """A crash point's name cannot be read from the source, or is not its own."""


def points(modules: Sequence[Module]) -> list[Point]:
    """Return every crash point, in the order of the source.

    Raises:
        BadName: a name is no literal, or stands at two places.
    """
    doors = _doors(modules)
    found = [
        point
        for module in modules
        if module.name not in _NOT_READ
        for place in module.calls
        if (point := _point(place, doors)) is not None
    ]
    twice = [name for name, times in Counter(p.name for p in found).items() if times > 1]
    if twice:
        raise BadName(f"named at more than one place: {', '.join(twice)}")
    return found


def is_held(place: Place, kind: Kind, doors: Mapping[str, _Door]) -> bool:
    """Tell whether a call stands in the block of a point of this kind."""
    kinds = [doors[m].kind for c in place.held_by if (m := place.module.meant_by(c.func)) in doors]
    return kind in kinds


def _doors(modules: Sequence[Module]) -> Mapping[str, _Door]:
    """Return every function that takes a point's name: the kit's, and those that pass one on."""
    doors = {
        f"{_KIT}.committing": _Door(0, Kind.COMMIT),
        f"{_KIT}.statement": _Door(0, Kind.STATEMENT),
        f"{_KIT}.calling": _Door(0, Kind.CALL),
    }
    takers = {
        f"{module.name}.{name}": (module, function)
        for module in modules
        if module.name not in _NOT_READ
        for name, function in module.functions.items()
        if _PARAMETER in _parameters(function)
    }
    while found := {
        path: _Door(_parameters(function).index(_PARAMETER), kind)
        for path, (module, function) in takers.items()
        if path not in doors and (kind := _passes_on(module, function, doors)) is not None
    }:
        doors |= found
    if lost := sorted(takers.keys() - doors.keys()):
        raise BadName(f"takes a point and passes it on to nobody: {', '.join(lost)}")
    return doors


def _passes_on(module: Module, function: Function, doors: Mapping[str, _Door]) -> Kind | None:
    for place in module.calls:
        door = doors.get(module.meant_by(place.call.func))
        if door and place.function is function and _is_own(_given(place.call, door)):
            return door.kind
    return None


def _point(place: Place, doors: Mapping[str, _Door]) -> Point | None:
    """Return the point that a call names; None when it names none, or passes one on."""
    door = doors.get(place.module.meant_by(place.call.func))
    if door is None:
        return None
    match _given(place.call, door):
        case None:
            return None
        case ast.Constant(value=str(name)) if name:
            return Point(name=name, kind=door.kind, where=place.where)
        case given if _is_own(given) and place.function is not None:
            if _PARAMETER in _parameters(place.function):
                return None
    raise BadName(f"{place.where}: a point's name must be a literal, so that it can be listed")


def _given(call: ast.Call, door: _Door) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == _PARAMETER:
            return keyword.value
    return call.args[door.position] if door.position < len(call.args) else None


def _is_own(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Name) and node.id == _PARAMETER


def _parameters(function: Function) -> list[str]:
    return [a.arg for a in (*function.args.posonlyargs, *function.args.args)] + [
        a.arg for a in function.args.kwonlyargs
    ]


# What must stand at a point ---------------------------------------------------------------

#: Publishes a message.
_PUBLISHING = {"apply_async", "send_task", "delay", "delay_on_commit", "apply_async_on_commit"}
#: Opens or ends a transaction; ``crash.committing`` does both.
_TRANSACTING = {"atomic", "set_autocommit", "commit"}
#: Transactions that commit nothing of their own, with why they are there.
_ONLY_READ = {
    "inventory.auditing": "a time-out of its own, by SET LOCAL",
    "sagas.events.inbox": "a savepoint in the transaction of its entry, which is named",
}
#: Calls another system.
_OUTSIDE = {"notifications.delivery.deliver"}
_PROVIDER = "payments.gateways.registry.gateway"
#: Speaks to other systems; to be imported by the adapters only, whose callers name the call.
_WIRES = {"httpx", "smtplib", "socket", "stripe", "requests", "urllib.request", "http.client",
          "django.core.mail"}  # fmt: skip
_ADAPTERS = ("payments.gateways.", "notifications.delivery", "notifications.webhooks.")


def unnamed(modules: Sequence[Module]) -> list[str]:
    """Return what changes the world, or asks another system, and stands at no point."""
    doors = _doors(modules)
    faults = []
    for module in modules:
        if module.name in _NOT_READ:
            continue
        faults += [
            f"{place.where}: {why}"
            for place in module.calls
            if (why := _why_not_named(place, doors))
        ]
        if not module.name.startswith(_ADAPTERS):
            faults += [
                f"{module.path}: imports {name}, which is for {' and '.join(_ADAPTERS)} only"
                for name in sorted(_wires_of(module))
            ]
    return faults


def _why_not_named(place: Place, doors: Mapping[str, _Door]) -> str:
    called = place.call.func
    verb = called.attr if isinstance(called, ast.Attribute) else ""
    if place.module.name in _ONLY_READ and verb == "atomic":
        return ""
    if verb in _TRANSACTING or place.module.meant_by(called) == "django.db.transaction.atomic":
        return f"{verb or 'atomic'}() without a point: use crash.committing"
    publishes = verb in _PUBLISHING
    outside = place.module.meant_by(called) in _OUTSIDE or _is_providers(place)
    if (publishes or outside) and not is_held(place, Kind.CALL, doors):
        return f"{ast.unparse(called)}() without a point: use crash.calling"
    return ""


def _is_providers(place: Place) -> bool:
    """Tell whether a call goes to the payment provider: a method of what ``gateway`` returned."""
    if not isinstance(place.call.func, ast.Attribute):
        return False
    receiver = place.call.func.value
    if isinstance(receiver, ast.Name) and place.function is not None:
        bound = [
            node.value
            for node in ast.walk(place.function)
            if isinstance(node, ast.Assign)
            and any(isinstance(t, ast.Name) and t.id == receiver.id for t in node.targets)
        ]
        return any(_is_gateway(place.module, value) for value in bound)
    return _is_gateway(place.module, receiver)


def _is_gateway(module: Module, node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and module.meant_by(node.func) == _PROVIDER


def _wires_of(module: Module) -> set[str]:
    meant = module.imported.values()
    return {wire for wire in _WIRES if any(f"{m}.".startswith(f"{wire}.") for m in meant)}
