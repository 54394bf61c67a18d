"""Small charts as SVG, made from numbers on the server. Axes and legends are the page's text.

The drawing is stretched to the width of the page, so there is no text in it: it would be
stretched as well. Colours are classes of ``dashboard.css``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, log10

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

#: Units of the drawing: wide and high; a bar leaves this share of its column free.
_WIDE, _HIGH = 240.0, 100.0
_GAP = 0.3
#: Ends of a scale that have a readable middle.
_ENDS = (2, 4, 6, 8, 10)
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
#: Up to how many of a unit are written in the unit below it.
_FEW = 2


@dataclass(frozen=True, kw_only=True)
class Series:
    """Values of one kind, one for each column; None where there is none. ``css`` colours them."""

    css: str
    values: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawing, and the numbers at the top and in the middle of its scale."""

    svg: SafeString
    top: float

    @property
    def middle(self) -> float:
        """What stands half way up."""
        return self.top / 2


def bars_and_line(
    bars: Sequence[Series], line: Series, *, hints: Sequence[str], label: str
) -> Chart:
    """Draw ``bars`` on top of one another, and ``line`` before them.

    Args:
        bars: from the bottom to the top.
        line: on the same scale.
        hints: what is shown over each column when somebody points at it.
        label: what the chart says, for those who cannot see it.
    """
    sums = [sum(values) for values in zip(*(_numbers(each) for each in bars), strict=True)]
    top = _scale([*sums, *_numbers(line)])
    drawn = [*_stacked(bars, top), _line(line, top)]
    return Chart(svg=_svg(drawn, hints, label), top=top)


def lines(series: Sequence[Series], *, hints: Sequence[str], label: str) -> Chart:
    """Draw ``series`` of seconds as lines with gaps where a value is missing."""
    largest = max((value for each in series for value in _numbers(each)), default=0.0)
    unit = next((size for size, _ in _UNITS if largest >= _FEW * size), 1)
    if largest < _FEW:
        unit = 10 ** ceil(log10(largest or 1)) / 10
    top = _scale([largest / unit]) * unit
    return Chart(svg=_svg([_line(each, top) for each in series], hints, label), top=top)


def duration(seconds: float | None) -> str:
    """Write a length of time in one unit, such as ``4.2 s`` or ``3 h``; ``none`` without one."""
    if seconds is None:
        return "none"
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    size, unit = next(((s, u) for s, u in _UNITS if seconds >= _FEW * s), (1, "s"))
    number = seconds / size
    text = f"{number:.1f}".removesuffix(".0") if number < 10 else f"{number:,.0f}"  # noqa: PLR2004
    return f"{text} {unit}"


def _numbers(series: Series) -> list[float]:
    return [value or 0.0 for value in series.values]


def _scale(values: Sequence[float]) -> float:
    """Return a round number that no value exceeds, and of which half is round too."""
    largest = max([*values, _ENDS[0]])
    power = 10.0 ** max(0, ceil(log10(largest)) - 1)
    return next(end * power for end in _ENDS if end * power >= largest)


def _stacked(bars: Sequence[Series], top: float) -> Iterator[SafeString]:
    if not bars:
        return
    column = _WIDE / len(bars[0].values)
    heights = [0.0] * len(bars[0].values)
    for series in bars:
        for n, value in enumerate(_numbers(series)):
            if not value:
                continue
            height = value / top * _HIGH
            heights[n] += height
            yield format_html(
                '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>',
                series.css,
                *_places((n + _GAP / 2) * column, _HIGH - heights[n]),
                *_places((1 - _GAP) * column, height),
            )


def _line(series: Series, top: float) -> SafeString:
    column = _WIDE / max(1, len(series.values))
    parts, pen_is_up = [], True
    for n, value in enumerate(series.values):
        if value is None:
            pen_is_up = True
            continue
        x, y = _places((n + 0.5) * column, _HIGH - value / top * _HIGH)
        # A point without neighbours is a line of no length, which a round cap makes visible.
        parts.append(f"M{x} {y}h0" if pen_is_up else f"L{x} {y}")
        pen_is_up = False
    return format_html('<path class="{}" d="{}"/>', series.css, " ".join(parts))


def _svg(drawn: Sequence[SafeString], hints: Sequence[str], label: str) -> SafeString:
    column = _WIDE / max(1, len(hints))
    pointed_at = format_html_join(
        "",
        '<rect class="mg-hint" x="{}" y="0" width="{}" height="100"><title>{}</title></rect>',
        ((*_places(n * column, column), hint) for n, hint in enumerate(hints)),
    )
    return format_html(
        '<svg class="mg-plot" viewBox="0 0 240 100" preserveAspectRatio="none" role="img"'
        ' aria-label="{}"><path class="mg-grid" d="M0 0H240M0 50H240M0 100H240"/>{}{}</svg>',
        label,
        format_html_join("", "{}", ((each,) for each in drawn)),
        pointed_at,
    )


def _places(*numbers: float) -> tuple[str, ...]:
    return tuple(f"{number:.2f}" for number in numbers)
