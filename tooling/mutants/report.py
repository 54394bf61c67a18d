"""How results are shown: a line while they come, a table at the end."""

from collections.abc import Sequence

from tooling.mutants.runner import Result, Verdict

_NAME = 44


def line_of(result: Result) -> str:
    """Return one line: verdict, seconds, mutant, and what is wrong if something is."""
    line = f"{result.verdict:8} {result.seconds:6.1f} s  {result.mutant.name:{_NAME}}"
    if result.verdict is Verdict.KILLED:
        return f"{line} {result.mutant.guard}"
    return f"{line} {result.words}"


def report_of(results: Sequence[Result], *, seconds: float) -> str:
    """Return the report as Markdown."""
    killed = sum(result.verdict is Verdict.KILLED for result in results)
    rows = [
        f"| {result.mutant.guard} | `{result.mutant.name}` | {result.verdict}"
        f" | {_tests(result)} | {result.seconds:.1f} |"
        for result in results
    ]
    return "\n".join(
        [
            "# Mutation gate",
            "",
            "Each guard was taken away in a copy of the tree, and the named tests were run on real",
            "databases. `killed`: every named test failed, by what it asserts. Written by",
            f"`make mutants`: {killed} of {len(results)} killed in {seconds:.0f} s.",
            "",
            "| guard that is gone | mutant | verdict | killed by | seconds |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _tests(result: Result) -> str:
    return "<br>".join(f"`{test}`" for test in result.mutant.tests)
