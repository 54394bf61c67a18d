"""Draws what throughput.py measured. Run by it, in an environment that has matplotlib."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

#: To be read on white and on black.
_INK, _OURS, _OTHERS = "#808080", "#2e9e6b", "#8a94a6"

#: What is drawn: the words above it, and the figure of a round.
_PANELS: Mapping[str, Callable[[Mapping[str, Any]], float]] = {
    "checkouts completed a second": lambda each: each["completed"],
    "milliseconds of CPU for each": lambda each: sum(each["cpu"].values()),
}


def main(report: Path, picture: Path) -> None:
    """Draw a bar for each contender: the median, and a line from the least to the most."""
    rounds: Sequence[Mapping[str, Any]] = json.loads(report.read_text())
    names = list(dict.fromkeys(each["contender"] for each in rounds))[::-1]
    pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "makegood", "font.size": 10})
    figure, panels = pyplot.subplots(1, len(_PANELS), figsize=(10, 2.4), sharey=True)
    for panel, (title, figure_of) in zip(panels, _PANELS.items(), strict=True):
        for place, name in enumerate(names):
            figures = [figure_of(each) for each in rounds if each["contender"] == name]
            panel.barh(place, median(figures), color=_OTHERS if place + 1 < len(names) else _OURS)
            panel.hlines(place, min(figures), max(figures), color=_INK)
            panel.annotate(
                f"{median(figures):.0f}",
                (max(figures), place),
                xytext=(6, 0),
                textcoords="offset points",
                color=_INK,
                va="center",
            )
        panel.set_title(title, color=_INK, fontsize=10, loc="left")
        panel.set_yticks(range(len(names)), names)
        panel.tick_params(colors=_INK, length=0)
        panel.set_xticks([])
        panel.margins(x=0.12)
        for side in panel.spines.values():
            side.set_visible(False)
    figure.tight_layout()
    figure.savefig(picture, transparent=True, metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
