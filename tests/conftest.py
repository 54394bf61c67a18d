"""The real system for the tests of this folder: processes, broker, provider and mail, by the book.

Celery workers and the web server run as processes of their own on the databases that the
test run made. Only the clock of the periodic recovery is the test's: one tick a second,
sent over the broker, because tables are emptied between tests and beat's schedule with them.
"""

import email
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from celery import Celery
from django.conf import settings
from django.core.management import call_command
from django.db.models import Q
from kombu import Connection
from kombu.exceptions import KombuError

from config.celery import queue
from sagas.events import keeping, registry, relay
from sagas.models import Saga
from tests.waiting import eventually
from tooling.crashtest.shop import with_plan
from tooling.local import stack as processes
from tooling.local.embedded import valkey_command
from tooling.local.instance import REPOSITORY, Instance
from tooling.local.stack import WORKERS, Ports
from tooling.local.supervisor import Program, Supervisor

#: Short leases and back-offs, so that recovery is seen in seconds; no other code.
SHORT_TIMES = {
    "SAGA_QUEUE_LEASE": "2",
    "SAGA_LEASE_MARGIN": "1",
    "STEP_TIME_LIMIT": "4",
    "OUTSIDE_STEP_TIME_LIMIT": "5",
    "RETRY_FIRST_DELAY": "0.3",
    "RETRY_MAX_DELAY": "2",
    "RETRY_ATTEMPTS_MUST_SUCCEED": "30",
    "PAYMENT_READ_TIMEOUT": "2",
    "EMAIL_TIMEOUT": "2",
    "BROKER_VISIBILITY_TIMEOUT": "10",
    "EVENT_LOST_AFTER": "5",
}


#: The queues on which the periodic jobs run that these tests need.
BEATEN = ("recovery", "compensation", "events", "outgoing", "webhooks")


@dataclass
class Stack:
    """The running system and handles to break it."""

    supervisor: Supervisor
    ports: Ports
    folder: Path
    sockets: Path
    broker_url: str

    @property
    def plans(self) -> Path:
        """The folder of the plans by which its processes die, one for each program."""
        return self.folder / "plans"

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.ports.web}/api/v1"

    def start_worker(self, name: str) -> None:
        """Start a worker that was stopped, with its plan."""
        self.supervisor.start(with_plan(processes.worker(name), self.plans))

    def place(
        self,
        *,
        key: str,
        token: str = "tok_success",
        client: httpx.Client | None = None,
        **changes: Any,
    ) -> httpx.Response:
        """Post a checkout as a guest, over a connection that is there or a new one."""
        body = {
            "email": "ada@example.org",
            "shipping_address": {
                "name": "Ada Byron",
                "line1": "1 Analytical Road",
                "city": "London",
                "postal_code": "N1 1AA",
                "country": "GB",
            },
            "lines": [{"sku": "MUG-BLUE", "quantity": 1}],
            "payment_token": token,
            **changes,
        }
        return (client or httpx).post(
            f"{self.api}/checkouts",
            json=body,
            headers={"Idempotency-Key": f"{key}-{'0' * 16}"},
            timeout=20,
        )

    def look(self, placed: httpx.Response) -> dict[str, Any]:
        """Return how a placed checkout stands, as its shopper sees it."""
        answer = httpx.get(
            f"http://127.0.0.1:{self.ports.web}{placed.headers['Location']}",
            headers={"Authorization": f"Order {placed.json()['order_token']}"},
            timeout=20,
        )
        answer.raise_for_status()
        standing: dict[str, Any] = answer.json()
        return standing

    def settled(self, placed: httpx.Response, *, timeout: float = 40) -> dict[str, Any]:
        """Wait until a checkout is neither processing nor reversing."""
        return eventually(
            lambda: self.look(placed),
            until=lambda standing: standing["status"] not in ("processing", "reversing"),
            timeout=timeout,
        )

    def mails(self, checkout_id: str) -> list[Message]:
        """Return the mails of one checkout that reached the mail server."""
        files = sorted((self.folder / "mails").glob(f"*{checkout_id}*.eml"))
        return [email.message_from_bytes(file.read_bytes()) for file in files]

    def ledger(self) -> dict[str, Any]:
        """Return the provider's own books."""
        answer = httpx.get(f"http://127.0.0.1:{self.ports.provider}/v1/ledger", timeout=20)
        books: dict[str, Any] = answer.json()
        return books


@pytest.fixture(scope="package")
def stack(
    request: pytest.FixtureRequest, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Start the system once for this folder and stop it at its end.

    Its own Valkey is the broker, unless a test gives the URL of a server as the fixture's
    parameter. Then the system before is stopped first: on the same databases, the recovery
    of each would take the other's sagas over.
    """
    given = getattr(request, "param", "")
    if given:
        _empty_queues(given)
    folder = tmp_path_factory.mktemp("stack")
    (folder / "mails").mkdir()
    ports = Ports.choose()
    # A socket's path has some 100 characters at the most; pytest's own folders may have more.
    sockets = Path(tempfile.mkdtemp(prefix="makegood-"))
    broker_url = given or f"redis+socket://{sockets}/valkey.sock"
    environment = {
        **os.environ,
        **database_urls(),
        **ports.environment(),
        **SHORT_TIMES,
        "BROKER_URL": broker_url,
        # A test that puts an order into this folder lets a process die there.
    }
    supervisor = Supervisor(
        environment=environment,
        folder=REPOSITORY,
        logs=folder,
        # `make stop` finds them there when this process is killed.
        ledger=Instance("test").ledger,
        echo=False,
    )
    with supervisor:
        if not given:
            supervisor.start(broker(sockets))
        _start_system(supervisor, folder, ports)
        with _ticking(broker_url):
            yield Stack(supervisor, ports, folder, sockets, broker_url)
    shutil.rmtree(sockets)
    if given:
        _empty_queues(given)


def _empty_queues(broker_url: str) -> None:
    """Forget what an earlier run left at a server; skip the test where there is none."""
    server = urlsplit(broker_url)
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex((server.hostname or "", server.port or 0)) != 0:
            pytest.skip(f"nothing listens at {server.hostname}:{server.port}")
    with Connection(broker_url) as connection:
        channel: Any = connection.default_channel
        for name in [*settings.CELERY_QUEUES, "dead"]:
            channel.queue_delete(name)


def _start_system(supervisor: Supervisor, folder: Path, ports: Ports) -> None:
    """Start every process of the system but beat, and wait until they are up.

    Each has a plan by which it dies, on which nothing stands as yet.
    """
    plans = folder / "plans"
    supervisor.start(processes.provider(folder / "provider.jsonl", ports))
    supervisor.start(processes.mailcatcher(folder / "mails", ports))
    supervisor.start(with_plan(processes.web(ports), plans))
    for name in WORKERS:
        supervisor.start(with_plan(processes.worker(name), plans))
    supervisor.wait_ready(timeout=90)


def database_urls() -> dict[str, str]:
    """Return the environment's URLs with the names of the databases that this test run made."""
    urls = {}
    for alias, variable in settings.DATABASE_VARIABLES.items():
        given = urlsplit(os.environ[variable])
        urls[variable] = given._replace(path=f"/{settings.DATABASES[alias]['NAME']}").geturl()
    return urls


def broker(folder: Path) -> Program:
    """The stack's own Valkey: what tests publish by hand stays apart, and it can be killed."""
    return Program(
        name="broker",
        command=valkey_command(folder / "valkey.sock", folder),
        ready="Ready to accept connections",
        last=True,
    )


@contextmanager
def _ticking(broker_url: str) -> Iterator[None]:
    """Ask for a recovery tick every second, over the broker, as celery-beat does."""
    # Not the current app, by which the code under test publishes.
    beat = Celery(broker=broker_url, set_as_current=False)
    amqp = broker_url.startswith("amqp")
    beat.conf.task_queues = [queue(name, amqp=amqp) for name in BEATEN]
    stopped = threading.Event()

    def tick() -> None:
        while not stopped.wait(1):
            # While a test has the broker down, beat's messages are lost as well.
            with suppress(OSError, KombuError):
                beat.send_task("sagas.recover", queue="recovery", expires=5, retry=False)
                beat.send_task("sagas.bulk_tick", queue="compensation", expires=5, retry=False)
                beat.send_task("events.tick", queue="events", expires=5, retry=False)
                beat.send_task("payments.sweep_events", queue="webhooks", expires=5, retry=False)
                for name in ("send_notices", "look_for_webhooks"):
                    beat.send_task(
                        f"notifications.{name}", queue="outgoing", expires=5, retry=False
                    )

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        beat.close()


@pytest.fixture
def catalogue(transactional_db: None) -> Iterator[None]:
    """A full catalogue, and empty tables otherwise; at the end it waits until all sagas rest.

    Tables are emptied after the test, and a worker that writes just then would be in the way.
    """
    call_command("load_catalogue", stdout=StringIO())
    yield
    moving = Q(next_attempt_at__isnull=False) | Q(lease_until__isnull=False)
    sagas = Saga.objects.using("default").filter(moving, parked="")
    eventually(sagas.exists, until=lambda some: not some, timeout=60)
    eventually(all_is_heard, timeout=60)


def all_is_heard() -> bool:
    """Tell whether every event has reached every consumer and nothing is being tried again."""
    for box in registry.outboxes():
        rows = list(box._base_manager.using(box.database).all())
        if any(row.relayed_at is None for row in rows) or relay.missing_at_consumers(rows):
            return False
    return not any(backlog.retrying for backlog in keeping.backlogs())


@pytest.fixture
def shop(stack: Stack, catalogue: None) -> Stack:
    """The running system with a full catalogue and empty tables otherwise."""
    return stack
