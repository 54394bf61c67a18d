"""Runs the named tests of each mutant in a copy of the tree: which guards does nobody miss?"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from queue import SimpleQueue
from xml.etree import ElementTree

from tooling.mutants.databases import Databases
from tooling.mutants.patch import DoesNotFit, Mutant

#: Seconds for one mutant's tests; some of them wait for a lock that is never set free.
_PATIENCE = 300.0
_LEFT_OUT = (".git", ".venv", ".data", ".*_cache", ".hypothesis", "docs")
#: These say that the patch is broken, not that a test has missed the guard.
_NO_VERDICT = (
    "SyntaxError",
    "IndentationError",
    "NameError",
    "UnboundLocalError",
    "ImportError",
    "ModuleNotFoundError",
    "AttributeError",
)


class Verdict(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"  # every named test failed
    SURVIVED = "survived"  # a named test passed: nobody misses the guard
    BROKEN = "broken"  # the run says nothing about the guard


@dataclass(frozen=True, kw_only=True)
class Result:
    """The verdict on one mutant, with the words of the failure or what is wrong."""

    mutant: Mutant
    verdict: Verdict
    words: str
    seconds: float


class Runner:
    """Runs mutants of ``tree`` on copies of ``databases``."""

    def __init__(self, tree: Path, databases: Databases) -> None:
        self._tree, self._databases = tree, databases

    def run_all(self, mutants: Sequence[Mutant], *, at_once: int) -> Iterator[Result]:
        """Yield a result for each mutant as it comes; so many run at once."""
        slots: SimpleQueue[str] = SimpleQueue()
        for n in range(at_once):
            slots.put(f"mutant{n}")

        def run(mutant: Mutant) -> Result:
            slot = slots.get()
            try:
                return self.run(mutant, slot)
            finally:
                slots.put(slot)

        with ThreadPoolExecutor(at_once) as pool:
            for future in as_completed([pool.submit(run, mutant) for mutant in mutants]):
                yield future.result()

    def run(self, mutant: Mutant, slot: str = "mutant0") -> Result:
        """Apply one mutant and run its tests; ``slot`` names the databases."""
        begun = time.monotonic()
        try:
            with (
                _copy_of(self._tree) as copy,
                self._databases.copies(slot, mutant.drops) as environment,
            ):
                for patch in mutant.patches:
                    patch.apply(copy)
                verdict, words = judge(mutant.tests, _run_tests(copy, mutant.tests, environment))
        except DoesNotFit as error:
            verdict, words = Verdict.BROKEN, str(error)
        seconds = time.monotonic() - begun
        return Result(mutant=mutant, verdict=verdict, words=words, seconds=seconds)

    def unmutated(self, tests: Sequence[str]) -> Sequence[str]:
        """Return those of the tests that do not pass as the tree stands."""
        with _copy_of(self._tree) as copy, self._databases.copies("mutant0", []) as environment:
            cases = _run_tests(copy, tests, environment)
        return [test for test in tests if not _passed(cases_of(test, cases))]


@dataclass(frozen=True)
class Case:
    """One test case that ran: where, its name, and how it ended (empty: it passed)."""

    module: str
    name: str
    failure: str = ""
    error: str = ""


def judge(tests: Sequence[str], cases: Sequence[Case]) -> tuple[Verdict, str]:
    """Return the verdict on a mutant from how the cases ended."""
    words = []
    for test in tests:
        mine = cases_of(test, cases)
        failures = [case.failure for case in mine if case.failure]
        if not failures:
            errors = [case.error for case in mine if case.error]
            if not mine or errors:
                return Verdict.BROKEN, f"{test}: {errors[0] if errors else 'it never ran'}"
            return Verdict.SURVIVED, f"{test} passes without the guard"
        told = next((each for each in failures if not each.startswith(_NO_VERDICT)), "")
        if not told:
            return Verdict.BROKEN, f"{test}: {failures[0]}"
        words.append(told)
    return Verdict.KILLED, "; ".join(words)


def cases_of(test: str, cases: Sequence[Case]) -> Sequence[Case]:
    """Return the cases of a node id: all of a parametrized test unless one is named."""
    path, _, name = test.rpartition("::")
    module = path.replace(".py", "").replace("/", ".").replace("::", ".")
    return [
        case
        for case in cases
        if case.module == module and name in (case.name, case.name.partition("[")[0])
    ]


def read_report(report: Path) -> Sequence[Case]:
    """Read pytest's JUnit XML."""
    return [
        Case(
            module=node.get("classname", ""),
            name=node.get("name", ""),
            failure=_words(node.find("failure")),
            error=_words(node.find("error")),
        )
        for node in ElementTree.parse(report).iter("testcase")
    ]


def _words(node: ElementTree.Element | None) -> str:
    return "" if node is None else (node.get("message") or "failed").splitlines()[0][:200]


def _passed(cases: Sequence[Case]) -> bool:
    return bool(cases) and not any(case.failure or case.error for case in cases)


@contextmanager
def _copy_of(tree: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="makegood-mutant-") as folder:
        copy = Path(folder, "tree")
        shutil.copytree(tree, copy, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        yield copy


def _run_tests(tree: Path, tests: Sequence[str], environment: dict[str, str]) -> Sequence[Case]:
    report = tree.parent / "report.xml"
    command = [
        *(sys.executable, "-m", "pytest", "-q", "--reuse-db", "-p", "no:cacheprovider"),
        *("--timeout", str(_PATIENCE / 2), f"--junitxml={report}", *tests),
    ]
    try:
        done = subprocess.run(
            command,
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE * max(1, len(tests) / 10),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return []
    if not report.exists():
        raise DoesNotFit(f"pytest did not run: {(done.stdout + done.stderr)[-500:]}")
    return read_report(report)
