"""`python -m tooling.mutants [name ...]`: the mutation gate.

Exit status 1 if there is a guard that nobody misses.

Beside embedded servers, as `make mutants` starts them. A name stands for every mutant whose
name contains it; without names all run, every guard must be in the table, and the report is
written to docs/evidence/mutants.md.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence

from tooling.local.instance import REPOSITORY
from tooling.mutants.completeness import unnamed_in_schema, unnamed_in_tests
from tooling.mutants.databases import Databases
from tooling.mutants.excused import SCHEMA, TESTS
from tooling.mutants.patch import Mutant
from tooling.mutants.report import line_of, report_of
from tooling.mutants.runner import Result, Runner, Verdict
from tooling.mutants.table import ALL

_REPORT = REPOSITORY / "docs" / "evidence" / "mutants.md"


def main() -> int:
    """Run the chosen mutants and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tooling.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names; none means all")
    parser.add_argument("--at-once", type=int, default=2, help="mutants that run side by side")
    given = parser.parse_args()
    chosen = [m for m in ALL if not given.names or any(part in m.name for part in given.names)]
    if not chosen:
        parser.error(f"no mutant is called anything like {' or '.join(given.names)}")
    databases = Databases(os.environ)
    databases.make_templates(REPOSITORY)
    try:
        return _gate(databases, chosen, is_whole=not given.names, at_once=given.at_once)
    finally:
        databases.remove_templates()


def _gate(databases: Databases, chosen: Sequence[Mutant], *, is_whole: bool, at_once: int) -> int:
    begun = time.monotonic()
    faults = list(_not_in_the_table(databases)) if is_whole else []
    runner = Runner(REPOSITORY, databases)
    red = runner.unmutated(sorted({test for mutant in chosen for test in mutant.tests}))
    if red:
        return _say("these tests fail with all guards in place", red)
    results: dict[str, Result] = {}
    for result in runner.run_all(chosen, at_once=at_once):
        results[result.mutant.name] = result
        print(line_of(result), flush=True)
    seconds = time.monotonic() - begun
    in_order = [results[mutant.name] for mutant in chosen]
    if is_whole:
        _REPORT.parent.mkdir(exist_ok=True)
        _REPORT.write_text(report_of(in_order, seconds=seconds))
    counts = _count(in_order)
    print(", ".join(f"{n} {verdict}" for verdict, n in counts.items()), f"in {seconds:.0f} s")
    if faults:
        return _say("these guards are in no table (tooling/mutants/table, excused.py)", faults)
    return int(counts[Verdict.KILLED] != len(chosen))


def _not_in_the_table(databases: Databases) -> Sequence[str]:
    return [
        *unnamed_in_schema(databases.guards(), ALL, SCHEMA),
        *unnamed_in_tests(REPOSITORY, ALL, TESTS),
    ]


def _count(results: Sequence[Result]) -> Mapping[Verdict, int]:
    return {verdict: sum(r.verdict is verdict for r in results) for verdict in Verdict}


def _say(what: str, names: Sequence[str]) -> int:
    print(f"{what}:", *names, sep="\n  ", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
