"""The part of django-filter that Makegood uses; the package ships no types."""

from collections.abc import Callable, Iterable
from typing import Any

class Filter:
    def __init__(
        self,
        field_name: str | None = ...,
        lookup_expr: str | None = ...,
        *,
        label: str | None = ...,
        method: str | Callable[..., Any] | None = ...,
        **field_options: Any,
    ) -> None: ...

class CharFilter(Filter): ...

class ChoiceFilter(Filter):
    def __init__(
        self,
        *,
        choices: Iterable[tuple[str, str]],
        method: str | Callable[..., Any] | None = ...,
        **field_options: Any,
    ) -> None: ...

class FilterSet: ...
