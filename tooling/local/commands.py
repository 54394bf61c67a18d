"""What the make targets do: run, stop, clean, exec, test."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

from tooling.local.instance import DATA, DATABASES, INSTANCES, REPOSITORY, Instance
from tooling.local.ledger import Ledger
from tooling.local.services import embedded
from tooling.local.stack import Ports, start_all, supervise

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
    ended = [
        f"{process} of '{name}'"
        for name in INSTANCES
        for process in Ledger(Instance(name).ledger).end_all()
    ]
    print("\n".join(f"stopped {process}" for process in ended) or "nothing of ours is running")
    return 0


def clean() -> int:
    """Remove what the embedded servers keep, and caches; refuses while something runs."""
    running = [n for n in INSTANCES if Ledger(Instance(n).ledger).alive()]
    if running:
        print(f"still running: {', '.join(running)}; `make stop` first", file=sys.stderr)
        return 1
    for name in INSTANCES:
        for folder in Instance(name).folders_elsewhere():
            shutil.rmtree(folder, ignore_errors=True)
    for folder in (DATA, *(REPOSITORY / cache for cache in _CACHES)):
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def execute(command: Sequence[str], *, instance: Instance | None = None) -> int:
    """Run a command with the servers of ``instance`` (test) up and its environment set.

    Ctrl-C and SIGTERM are passed on as one SIGINT, on which pytest cleans up after itself;
    what it started and left behind all the same is ended here.
    """
    instance = instance or Instance("test")
    with embedded(instance) as services:
        ledger = Ledger(instance.ledger)
        ledger.note("supervisor", os.getpid())
        environment = {**os.environ, **instance.environment()}
        child = subprocess.Popen(command, env=environment, cwd=REPOSITORY)
        # A terminal sends Ctrl-C to the child as well; a second SIGINT would cut its end short.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGINT))
        code = child.wait()
        ledger.end_all(but={os.getpid(), services.postgres.pid, services.valkey.pid})
        return code


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
