"""The system's processes and how they are started, for `make run`, the demo and the tests."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tooling.local.instance import REPOSITORY, Instance, free_port
from tooling.local.supervisor import Program, Supervisor

#: Signs the fake provider's webhooks.
WEBHOOK_SECRET = "whsec_of_the_local_system"

#: worker -> (queues, pool size). Outside calls have a pool of their own, so that a slow
#: provider never holds up reservations; nothing may starve compensation and recovery. An audit
#: takes one process of two.
WORKERS = {
    "domain": ("orders,inventory", 2),
    "outside": ("payments,notifications,webhooks", 4),
    "compensation": ("compensation,audit", 2),
    "recovery": ("recovery", 1),
    "events": ("events", 1),
    "outgoing": ("outgoing", 2),
}
#: They may take all the cores, but not from shoppers who post just now, nor from whoever mends.
_YIELDING = ("domain", "outside", "events", "outgoing")
_NICENESS = 10


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The TCP ports of one running system, all on the loopback."""

    web: int
    provider: int
    mail: int

    @classmethod
    def choose(cls, *, web: int = 0) -> "Ports":
        """Choose free ports; ``web`` is taken if it is free."""
        return cls(web=free_port(web), provider=free_port(), mail=free_port())

    def environment(self) -> Mapping[str, str]:
        """Return the variables that name them."""
        return {
            "FAKE_PROVIDER_URL": f"http://127.0.0.1:{self.provider}",
            "FAKE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "PAYMENT_RETURN_URL": f"http://127.0.0.1:{self.web}/api/v1/docs",
            "EMAIL_URL": f"smtp://127.0.0.1:{self.mail}",
        }


def journal_of(instance: Instance) -> Path:
    """Return the file of the fake provider's ledger."""
    return instance.folder / "provider.jsonl"


def mails_of(instance: Instance) -> Path:
    """Return the folder in which the mail catcher keeps mails."""
    return instance.folder / "mails"


def provider(journal: Path, ports: Ports, *, webhooks: bool = False) -> Program:
    """The fake payment provider; with ``webhooks`` it tells the web server what happens."""
    url = f"http://127.0.0.1:{ports.web}/api/v1/webhooks/payments/fake"
    told = ["--webhook-url", url, "--webhook-secret", WEBHOOK_SECRET] if webhooks else []
    return python(
        "provider", "-m", "tooling.fakepay", "--port", str(ports.provider),
        "--journal", str(journal), *told, ready="ready", last=True,
    )  # fmt: skip


def mailcatcher(folder: Path, ports: Ports) -> Program:
    """The mail catcher."""
    return python(
        "mail", "-m", "tooling.mailcatcher", "--port", str(ports.mail),
        "--directory", str(folder), ready="ready", last=True,
    )  # fmt: skip


def web(ports: Ports, *, charge_mode: str = "") -> Program:
    """The API and the admin; with a CHARGE_MODE of its own, it stands beside the usual one."""
    program = python(
        f"web-{charge_mode}" if charge_mode else "web",
        "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{ports.web}",
        "--worker-class", "gthread", "--workers", "2", "--threads", "8",
        # Without addresses and agents: personal data stays out of the logs.
        "--access-logfile", "-", "--access-logformat", "%(m)s %(U)s %(s)s %(M)s ms",
        ready="Booting worker", probe=f"http://127.0.0.1:{ports.web}/healthz",
    )  # fmt: skip
    if not charge_mode:
        return program
    return replace(program, command=["env", f"CHARGE_MODE={charge_mode}", *program.command])


def worker(name: str, *, size: int | None = None) -> Program:
    """One Celery worker of WORKERS, with a pool of ``size`` if that is given."""
    queues, usual = WORKERS[name]
    program = python(
        f"{name}", "-m", "celery", "-A", "config", "worker", "-n", f"{name}@%h", "-Q", queues,
        "-c", str(size or usual), "--pool", "prefork", "--without-gossip", "--without-mingle",
        "-l", "INFO", ready=r"@\S+ ready\.",
    )  # fmt: skip
    return replace(program, niceness=_NICENESS) if name in _YIELDING else program


def beat() -> Program:
    """The clock of the periodic jobs."""
    return python(
        "beat", "-m", "celery", "-A", "config", "beat", "-l", "INFO", "--pidfile=",
        ready="beat: Starting|DatabaseScheduler",
    )  # fmt: skip


def start_all(supervisor: Supervisor, instance: Instance, ports: Ports) -> None:
    """Start the whole system and wait until every process is up."""
    supervisor.start(provider(journal_of(instance), ports, webhooks=True))
    supervisor.start(mailcatcher(mails_of(instance), ports))
    supervisor.start(web(ports))
    for name in WORKERS:
        supervisor.start(worker(name))
    supervisor.start(beat())
    supervisor.wait_ready()


def supervise(instance: Instance, environment: Mapping[str, str], *, echo: bool) -> Supervisor:
    """Return a supervisor for the instance's processes."""
    return Supervisor(
        environment=environment,
        folder=REPOSITORY,
        logs=instance.logs,
        ledger=instance.ledger,
        echo=echo,
    )


def python(name: str, *arguments: str, ready: str, probe: str = "", last: bool = False) -> Program:
    """Return a program that this Python runs; the rest is as in ``Program``."""
    command = [sys.executable, *arguments]
    return Program(name=name, command=command, ready=ready, probe=probe, last=last)
