"""What the make targets do: run, stop, clean, exec, test."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

import psutil

from tooling.local.instance import DATA, DATABASES, INSTANCES, REPOSITORY, Instance
from tooling.local.ledger import Ledger
from tooling.local.services import embedded
from tooling.local.stack import Ports, start_all, supervise

_STOP_SECONDS = 20.0
_CACHES = (
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".import_linter_cache",
    ".hypothesis",
    "build",
)


def run() -> int:
    """Keep the whole system up in the foreground until Ctrl-C or `make stop`."""
    instance = Instance("run")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with embedded(instance):
        Ledger(instance.ledger).note("supervisor", os.getpid())
        ports = Ports.choose(web=8000)
        environment = {**os.environ, **instance.environment(), **ports.environment()}
        migrate(environment)
        manage(environment, "load_catalogue")
        password = make_admin(instance, environment)
        with supervise(instance, environment, echo=True) as supervisor:
            start_all(supervisor, instance, ports)
            url = f"http://127.0.0.1:{ports.web}"
            print(
                f"\nMakegood is up. Ctrl-C stops it.\n"
                f"  API    {url}/api/v1/docs\n"
                f"  Admin  {url}/admin/   user: admin   password: {password}\n"
                f"  Mails  {instance.folder}/mails   Logs  {instance.logs}\n",
                flush=True,
            )
            stopped.wait()
            print("Stopping …", flush=True)
    return 0


def stop() -> int:
    """Stop what run, demo and test started, and nothing else: pid and time of birth must match."""
    found = False
    for name in INSTANCES:
        processes = Ledger(Instance(name).ledger).alive()
        # The supervisor stops its own processes in order; only its orphans are left for us.
        processes.sort(key=lambda entry: entry[0] != "supervisor")
        for role, process in processes:
            found = True
            if not process.is_running():
                continue
            print(f"stopping {role} of '{name}' (pid {process.pid})")
            _end(process)
    if not found:
        print("nothing of ours is running")
    return 0


def clean() -> int:
    """Remove what the embedded servers keep, and caches; refuses while something runs."""
    running = [n for n in INSTANCES if Ledger(Instance(n).ledger).alive()]
    if running:
        print(f"still running: {', '.join(running)}; `make stop` first", file=sys.stderr)
        return 1
    for name in INSTANCES:
        shutil.rmtree(Instance(name).sockets, ignore_errors=True)
    for folder in (DATA, *(REPOSITORY / cache for cache in _CACHES)):
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def execute(command: Sequence[str]) -> int:
    """Run a command with the test instance's servers up and its environment set."""
    instance = Instance("test")
    with embedded(instance):
        Ledger(instance.ledger).note("supervisor", os.getpid())
        environment = {**os.environ, **instance.environment()}
        return subprocess.run(command, env=environment, cwd=REPOSITORY, check=False).returncode


def manage(environment: Mapping[str, str], *arguments: str) -> str:
    """Run one management command and return its output; CalledProcessError if it fails."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def migrate(environment: Mapping[str, str]) -> None:
    """Migrate every database; the router decides what goes where."""
    manage(environment, "migrate_all", "--verbosity", "0")


def make_admin(instance: Instance, environment: Mapping[str, str]) -> str:
    """Make the user ``admin`` at the first start; return the password, which is kept."""
    password = instance.secret("admin-password", length=12)
    manage({**environment, "ADMIN_PASSWORD": password}, "ensure_admin")
    return password


def databases_of(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the database URLs of an environment."""
    return {variable: environment[variable] for variable in DATABASES}


def _end(process: psutil.Process) -> None:
    try:
        process.terminate()
        process.wait(timeout=_STOP_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()
    except psutil.NoSuchProcess:
        return
