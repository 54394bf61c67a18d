"""The part of django-fsm 3.0 that Makegood uses; the package ships no types."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from django.db.models import CharField

_F = TypeVar("_F", bound=Callable[..., Any])

class TransitionNotAllowed(Exception): ...

class FSMField(CharField[str, str]):
    def __init__(self, *args: Any, protected: bool = ..., **kwargs: Any) -> None: ...

class FSMModelMixin: ...

class GET_STATE:
    def __init__(self, func: Callable[..., str], states: Iterable[str] | None = ...) -> None: ...

class RETURN_VALUE:
    def __init__(self, *allowed_states: str) -> None: ...

def transition(
    field: Any,
    source: str | Sequence[str] = ...,
    target: str | GET_STATE | RETURN_VALUE | None = ...,
    on_error: str | None = ...,
    conditions: Sequence[Callable[[Any], bool]] = ...,
    permission: str | Callable[..., bool] | None = ...,
    custom: dict[str, Any] = ...,
) -> Callable[[_F], _F]: ...
def can_proceed(bound_method: Callable[..., Any], check_conditions: bool = ...) -> bool: ...
