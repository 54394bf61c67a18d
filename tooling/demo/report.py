"""The demo's table."""

from collections.abc import Sequence

from tooling.demo.scenarios import Row

_HEAD = ("what was tried", "saga", "charged", "refunded", "held", "order", "mails", "s", "")


def table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned text; amounts as in 12.50."""
    cells = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths).rstrip())
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    verdict = "WRONG" if row.faults else "right"
    seconds = f"{row.seconds:.1f}"
    if row.outcome is None:
        return (row.tried, row.note or "-", "-", "-", "-", "-", "-", seconds, verdict)
    seen = row.outcome
    return (
        row.tried,
        seen.state,
        f"{seen.charged / 100:.2f}",
        f"{seen.refunded / 100:.2f}",
        str(seen.held),
        seen.order,
        ", ".join(seen.mails) or "none",
        seconds,
        verdict,
    )
