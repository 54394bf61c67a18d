"""Draws a saga from its definition as one SVG: forward lane, compensation lane, both ends."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from sagas.definitions import SagaDefinition
from sagas.models import COMPENSATED, FAILED, PENDING, Direction, Saga

_BOX, _HEIGHT, _GAP, _EDGE = 186, 44, 62, 24
_FORWARD, _BACK = 84, 208
_SIGNS = {"done": "\u2713", "here": "\u25cf", "failed": "\u2717"}
_WORDS = {"done": "done", "here": "the saga is here", "failed": "did not succeed"}
_STYLE = """
  svg { color-scheme: light dark; font: 13px system-ui, sans-serif }
  rect { fill: #fff; stroke: #5b6472; stroke-width: 1.5; rx: 8 }
  text { fill: #1d2430; text-anchor: middle }
  path { fill: none; stroke: #5b6472; stroke-width: 1.5; marker-end: url(#tip) }
  .tip { fill: #5b6472; stroke: none; marker-end: none }
  .small { font-size: 11px; fill: #566070 }
  .title { font-size: 15px; font-weight: 600; text-anchor: start }
  .pivot { stroke: #9a5b00; stroke-width: 2.5 } .good { stroke: #1d7a3e; stroke-width: 2.5 }
  .undo { stroke-dasharray: 5 3 } .bad { stroke: #b3261e; stroke-width: 2.5 }
  @media (prefers-color-scheme: dark) {
    rect { fill: #1b212b; stroke: #98a3b3 } text { fill: #e7ebf1 } path { stroke: #98a3b3 }
    .tip { fill: #98a3b3 } .small { fill: #a9b4c3 }
    .pivot { stroke: #e2a64a } .good { stroke: #5ec486 } .bad { stroke: #ff8a80 }
  }
"""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Where one saga stands in the picture: a word for each state and each undo that has one.

    The words are classes of the boxes as well: ``here``, ``done``, ``failed``.
    """

    states: Mapping[str, str] = field(default_factory=dict)
    undos: Mapping[str, str] = field(default_factory=dict)


def marks_of(saga: Saga) -> Marks:
    """Return where ``saga`` stands: what it reached, where it is, what did not succeed."""
    definition = saga.definition
    forward = saga.state if saga.state in definition.states else saga.reached
    states = dict.fromkeys(definition.states[: definition.states.index(forward) + 1], "done")
    states[saga.state] = "failed" if saga.state == FAILED else "here"
    if unsuccessful := saga.reason_step or (saga.due_step if saga.parked else ""):
        states[definition.step(unsuccessful).reaches] = "failed"
    undos = dict.fromkeys(saga.undone, "done") | dict.fromkeys(saga.given_up, "failed")
    if saga.due_direction is Direction.UNDO and saga.due_step:
        undos[saga.due_step] = "here"
    return Marks(states=states, undos=undos)


def draw(definition: SagaDefinition, marks: Marks | None = None, *, styled: bool = True) -> str:
    """Return the SVG of ``definition``; the same arguments give the same text.

    Args:
        marks: where one saga stands in it.
        styled: whether it brings its own style; a page with a strict policy brings it itself.
    """
    marks = marks or Marks()
    states = [PENDING, *(step.reaches for step in definition.steps)]
    width = 2 * _EDGE + len(states) * _BOX + (len(states) - 1) * _GAP
    body = "\n".join(
        [
            *_forward_lane(definition, states, marks),
            *_compensation_lane(definition, marks),
        ]
    )
    title = f"{definition.kind}, version {definition.version}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 316" role="img" '
        f'class="mg-graph" aria-label="The {escape(title)} saga">\n'
        f"{f'<style>{_STYLE}</style>' if styled else ''}\n"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse"><path class="tip" d="M0 0 8 4 0 8z"/>'
        "</marker></defs>\n"
        f'<text class="title" x="{_EDGE}" y="34">{escape(title)}</text>\n{body}\n</svg>\n'
    )


def _forward_lane(definition: SagaDefinition, states: list[str], marks: Marks) -> Iterator[str]:
    for column, state in enumerate(states):
        step = definition.steps[column - 1] if column else None
        kind = "pivot" if step and step.pivot else "good" if column == len(states) - 1 else ""
        yield _box(_left(column), _FORWARD, state, kind, mark=marks.states.get(state, ""))
        if step is None:
            continue
        yield _arrow(
            f"M{_left(column) - _GAP} {_FORWARD + _HEIGHT / 2:g}H{_left(column) - 2}",
        )
        name = f"{step.name} (pivot)" if step.pivot else step.name
        yield _words(_left(column) - _GAP / 2, _FORWARD - 10, name)


def _compensation_lane(definition: SagaDefinition, marks: Marks) -> Iterator[str]:
    """Draw each undo below the step that it undoes; compensation runs from right to left."""
    middle = _BACK + _HEIGHT / 2
    yield _box(_left(0), _BACK, COMPENSATED, "good", mark=marks.states.get(COMPENSATED, ""))
    undone = [n for n, step in enumerate(definition.steps, start=1) if callable(step.undo)]
    for column in undone:
        step = definition.steps[column - 1]
        undo, mark = step.undo, marks.undos.get(step.name, "")
        # Any step may fail before it is saved, so its own undo is where compensation begins.
        yield _arrow(f"M{_left(column) + _BOX / 2:g} {_FORWARD + _HEIGHT}V{_BACK - 2}", kind="undo")
        name = getattr(undo, "__name__", str(undo))
        yield _box(_left(column), _BACK, name, "undo", mark=mark)
        yield _arrow(f"M{_left(column)} {middle:g}H{_left(column) - _GAP + 2}", kind="undo")
    if undone:
        last = max(undone) + 1
        yield _arrow(
            f"M{_left(last) - _GAP} {middle:g}H{_left(last) - 2}",
            kind="undo",
        )
        yield _box(_left(last), _BACK, FAILED, "bad", mark=marks.states.get(FAILED, ""))
        yield _words(
            _left(last) + _BOX / 2, _BACK + _HEIGHT + 18, "an undo was exhausted: needs a human"
        )
    yield _words(_left(0) + _BOX / 2, _BACK + _HEIGHT + 18, "every undo of the steps begun is done")


def _left(column: int) -> int:
    return _EDGE + column * (_BOX + _GAP)


def _box(x: float, y: float, label: str, kind: str, *, mark: str = "") -> str:
    classes = f"{kind} {mark}".strip()
    rectangle = f'<rect class="{classes}" x="{x:g}" y="{y:g}" width="{_BOX}" height="{_HEIGHT}"/>'
    middle = y + _HEIGHT / 2 + 4.5
    sign = f"{_SIGNS[mark]} " if mark else ""
    title = f"<title>{escape(label)}: {_WORDS[mark]}</title>" if mark else ""
    text = f'<text x="{x + _BOX / 2:g}" y="{middle:g}">{sign}{escape(label)}</text>'
    return f"<g>{title}{rectangle}{text}</g>" if mark else f"{rectangle}{text}"


def _arrow(line: str, *, kind: str = "") -> str:
    return f'<path class="{kind}" d="{line}"/>'


def _words(x: float, y: float, words: str) -> str:
    return f'<text class="small" x="{x:g}" y="{y:g}">{escape(words)}</text>'
