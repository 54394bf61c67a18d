"""Finds a saga's definition by its kind and version, through ``settings.SAGAS``."""

from collections.abc import Sequence
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from sagas.definitions import SagaDefinition


class UnknownDefinition(LookupError):
    """No running code knows this kind and version of saga."""


def paths_of(kind: str) -> Sequence[str]:
    """Return the dotted paths of ``kind``, the newest version first.

    A kind is one path, or a list while sagas of an older version are still running.
    """
    value = settings.SAGAS.get(kind, ())
    return [value] if isinstance(value, str) else list(value)


def newest(kind: str) -> SagaDefinition:
    """Return the definition that new sagas of ``kind`` start with."""
    return _load(kind)[0]


def find(kind: str, version: int) -> SagaDefinition:
    """Return the definition of ``kind`` at ``version``; UnknownDefinition if there is none."""
    for definition in _load(kind):
        if definition.version == version:
            return definition
    raise UnknownDefinition(f"no definition of saga {kind!r} version {version} is deployed")


def known() -> Sequence[tuple[str, int]]:
    """Return every (kind, version) that the running code can execute."""
    return [(each.kind, each.version) for each in definitions()]


def definitions() -> Sequence[SagaDefinition]:
    """Return every definition that the running code can execute, new sagas' first of each kind."""
    return [each for kind in settings.SAGAS for each in _load(kind)]


@cache
def _load(kind: str) -> Sequence[SagaDefinition]:
    definitions = [import_string(path) for path in paths_of(kind)]
    if not definitions:
        raise UnknownDefinition(f"no saga {kind!r} is named in settings.SAGAS")
    return definitions
