"""The system under test: every program with a plan of its own, so that each can die alone."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from celery import Celery

from sagas.participant.crash_plan import FolderPlan
from tooling.local import stack
from tooling.local.instance import Instance, free_port
from tooling.local.stack import WORKERS, Ports, journal_of, mails_of
from tooling.local.supervisor import Program, Supervisor

#: Programs that pass crash points: a command is started and ended by the scenario that needs it.
COMMAND = "command"
PROGRAMS = ("web", *WORKERS, COMMAND)

#: Processes of each program: some may be frozen while the others go on.
_POOL = 4

#: Short leases and back-offs, so that recovery is seen in seconds, and so many attempts that
#: crashes alone never use them up. A transaction of a frozen process is ended sooner than in a
#: shop (30 s), so that recovery can take over while the process is still frozen.
SHORT_TIMES = {
    "SAGA_QUEUE_LEASE": "2",
    "SAGA_LEASE_MARGIN": "0.5",
    "SAGA_RECOVERY_INTERVAL": "1",
    "STEP_TIME_LIMIT": "2",
    "OUTSIDE_STEP_TIME_LIMIT": "3",
    "RETRY_FIRST_DELAY": "0.2",
    "RETRY_MAX_DELAY": "1",
    "RETRY_ATTEMPTS": "200",
    "RETRY_ATTEMPTS_MUST_SUCCEED": "200",
    "CHECKOUT_DEADLINE": "900",
    "PAYMENT_READ_TIMEOUT": "2",
    "EMAIL_TIMEOUT": "2",
    "BROKER_VISIBILITY_TIMEOUT": "10",
    "SAGA_POLL_INTERVAL": "1",
    "EVENT_LOST_AFTER": "3",
    "EVENT_ATTEMPTS": "200",
}
#: What a shop may leave out, and has points of its own.
EVERYTHING = {"STAGING_CHAOS": "true", "STOCK_EMAIL": "stock@example.org"}
#: ``options`` of a database URL: settings' own limits, with a shorter one for idle transactions.
_LIMITS = (
    "?options=-c%20statement_timeout%3D10s%20-c%20lock_timeout%3D5s"
    "%20-c%20idle_in_transaction_session_timeout%3D2s"
)


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A running system, and the handles to break it.

    Args:
        supervisor: keeps its programs running.
        ports: where they listen.
        mails: the folder in which the mail catcher keeps mails.
        journal: the file of the provider's ledger.
        plans: program -> the plan by which its processes die.
        plans_folder: where these plans are kept.
        environment: what a command of this shop needs.
        authorising: address of a web server whose CHARGE_MODE is authorise.
        frozen: seconds that a process stays frozen at the most: longer than a step's lease and a
            client's patience, so that others take over; shorter than the limit at which a worker
            ends its child.
    """

    supervisor: Supervisor
    ports: Ports
    mails: Path
    journal: Path
    plans: Mapping[str, FolderPlan]
    plans_folder: Path
    environment: Mapping[str, str]
    frozen: float = 5.0
    authorising: str = ""

    @property
    def address(self) -> str:
        """Return the web server's address."""
        return f"http://127.0.0.1:{self.ports.web}"

    @property
    def provider(self) -> str:
        """Return the payment provider's address."""
        return f"http://127.0.0.1:{self.ports.provider}"

    @cached_property
    def _broker(self) -> Celery:
        return Celery(broker=self.environment["BROKER_URL"], set_as_current=False)

    def ask_for(self, task: str, *, queue: str, **words: object) -> None:
        """Send a periodic task, as celery-beat does when its time has come."""
        self._broker.send_task(task, queue=queue, kwargs=words, expires=10, retry=False)

    def lose_messages(self, *queues: str) -> None:
        """Forget what waits in the broker."""
        with self._broker.connection_for_write() as connection:
            channel: Any = connection.default_channel
            for queue in queues:
                channel.queue_purge(queue)

    def waiting_in(self, queue: str) -> int:
        """Return how many messages no worker has taken yet."""
        with self._broker.connection_for_write() as connection:
            channel: Any = connection.default_channel
            return int(channel._size(queue))

    @contextmanager
    def refused_by_broker(self) -> Iterator[None]:
        """Let the broker take no messages as long as the block runs; it still hands them out."""
        self._allow("-lpush")
        try:
            yield
        finally:
            self._allow("+lpush")

    def _allow(self, right: str) -> None:
        with self._broker.connection_for_write() as connection:
            channel: Any = connection.default_channel
            channel.client.execute_command("ACL", "SETUSER", "default", right)

    @contextmanager
    def standing_still(self, program: str) -> Iterator[None]:
        """Freeze all processes of a program for as long as the block runs."""
        pid = self.supervisor.pid(program)
        os.killpg(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(pid, signal.SIGCONT)


def with_plan(program: Program, plans: Path) -> Program:
    """Return ``program`` with a plan of its own below ``plans``."""
    folder = plans / program.name
    folder.mkdir(parents=True, exist_ok=True)
    return replace(program, environment={**program.environment, "CRASH_PLAN": str(folder)})


def plans_in(folder: Path) -> Mapping[str, FolderPlan]:
    """Return the plan of each program below ``folder``."""
    for name in PROGRAMS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {name: FolderPlan(folder / name) for name in PROGRAMS}


def environment_of(instance: Instance, ports: Ports) -> dict[str, str]:
    """Return what every process of the shop gets."""
    given = instance.environment()
    databases = {name: url + _LIMITS for name, url in given.items() if name.endswith("_URL")}
    databases.pop("BROKER_URL")
    return {**os.environ, **given, **databases, **ports.environment(), **SHORT_TIMES, **EVERYTHING}


@contextmanager
def running(instance: Instance, ports: Ports, environment: Mapping[str, str]) -> Iterator[Shop]:
    """Start every program, and stop them at the end."""
    plans = instance.folder / "plans"
    supervisor = Supervisor(
        environment=environment,
        folder=Path.cwd(),
        logs=instance.logs,
        ledger=instance.ledger,
        echo=False,
        # Death is the rule here, and no reason to wait.
        longest_backoff=0.2,
    )
    with supervisor:
        supervisor.start(stack.provider(journal_of(instance), ports))
        supervisor.start(stack.mailcatcher(mails_of(instance), ports))
        supervisor.start(with_plan(_web(ports), plans))
        # Passes the points that the other one passes, and so needs no plan.
        other_door = replace(ports, web=free_port())
        supervisor.start(stack.web(other_door, charge_mode="authorise"))
        for name in WORKERS:
            supervisor.start(with_plan(stack.worker(name, size=_POOL), plans))
        supervisor.start(stack.beat())
        supervisor.wait_ready(timeout=180)
        yield Shop(
            supervisor=supervisor,
            ports=ports,
            mails=mails_of(instance),
            journal=journal_of(instance),
            plans=plans_in(plans),
            plans_folder=plans,
            environment=environment,
            authorising=f"http://127.0.0.1:{other_door.web}",
        )


def _web(ports: Ports) -> Program:
    """The web server; its processes are forked from one that is warm, and so are quickly back."""
    web = stack.web(ports)
    return replace(web, command=[*web.command, "--preload", "--workers", str(_POOL)])
