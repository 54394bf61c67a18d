"""The real system that is measured: embedded servers of its own, and the workers of `make run`."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from tooling.demo.main import forget
from tooling.local import stack
from tooling.local.commands import manage, migrate
from tooling.local.instance import Instance
from tooling.local.ledger import Ledger
from tooling.local.services import embedded
from tooling.local.stack import WORKERS, Ports, journal_of, mails_of, supervise
from tooling.local.supervisor import Supervisor

if TYPE_CHECKING:
    from sagas.models import Saga

SKUS = ("MUG-BLUE", "TEAPOT", "TOWEL")
_PLENTY = 1_000_000
_LOOK_EVERY = 0.1
#: Seconds: a backlog of some thousands takes a while.
_PATIENCE = 3600.0

_numbers = count(1)


@dataclass(frozen=True, kw_only=True)
class System:
    """What is measured.

    Args:
        supervisor: keeps its programs running.
        environment: for contenders: the same servers, and always the embedded broker.
        address: of its web server.
        roots: program -> pid of its first process, of what is ours.
        servers: the same of what contenders use as well.
    """

    supervisor: Supervisor
    environment: Mapping[str, str]
    address: str
    roots: Mapping[str, int]
    servers: Mapping[str, int]

    @contextmanager
    def standing_still(self, *programs: str) -> Iterator[None]:
        """Freeze all processes of these programs for as long as the block runs."""
        for program in programs:
            os.killpg(self.roots[program], signal.SIGSTOP)
        try:
            yield
        finally:
            for program in programs:
                os.killpg(self.roots[program], signal.SIGCONT)


@contextmanager
def running(*, broker: str = "") -> Iterator[System]:
    """Run a fresh system, and make this process one of its own.

    Args:
        broker: URL of the broker that its messages go through; the embedded one by default.
    """
    instance = Instance("bench")
    forget(instance)
    with embedded(instance) as services:
        Ledger(instance.ledger).note("supervisor", os.getpid())
        ports = Ports.choose()
        beside = {**os.environ, **instance.environment(), **ports.environment()}
        environment = {**beside, "BROKER_URL": broker} if broker else beside
        os.environ.update(environment)
        migrate(environment)
        manage(environment, "load_catalogue")
        with supervise(instance, environment, echo=False) as supervisor:
            supervisor.start(stack.provider(journal_of(instance), ports))
            supervisor.start(stack.mailcatcher(mails_of(instance), ports))
            supervisor.start(stack.web(ports))
            for name in WORKERS:
                supervisor.start(stack.worker(name))
            supervisor.start(stack.beat())
            supervisor.wait_ready()
            set_up_django()
            servers = {name: supervisor.pid(name) for name in ("provider", "mail")}
            servers |= {"postgres": services.postgres.pid, "valkey": services.valkey.pid}
            yield System(
                supervisor=supervisor,
                environment=beside,
                address=f"http://127.0.0.1:{ports.web}",
                roots={name: supervisor.pid(name) for name in ("web", *WORKERS, "beat")},
                servers=servers,
            )


def set_up_django() -> None:
    """Make this process one of the shop's, and fill the shelves."""
    import django

    django.setup()
    from inventory.services import receive_stock

    for sku in SKUS:
        receive_stock(sku=sku, quantity=_PLENTY)


def order(*skus: str) -> dict[str, object]:
    """Return what a shopper posts: one unit of the first product, two of the second."""
    number = next(_numbers)
    wanted = skus or (SKUS[number % len(SKUS)], SKUS[(number + 1) % len(SKUS)])
    return {
        "email": "ada@example.org",
        "shipping_address": {
            "name": "Ada",
            "line1": "1 Road",
            "line2": "",
            "city": "Bath",
            "postal_code": "BA1",
            "country": "GB",
        },
        "payment_token": "tok_success",
        "lines": [{"sku": sku, "quantity": units} for units, sku in enumerate(wanted, start=1)],
    }


def place(*skus: str) -> None:
    """Take one checkout in, without HTTP."""
    from sagas.checkout import intake

    # Several processes place checkouts in one run.
    key = f"bench-{os.getpid()}-{next(_numbers)}"
    intake.place(principal="bench", idempotency_key=key, body=order(*skus))


def do_all_steps(saga: "Saga") -> None:
    """Run the steps of a checkout one after the other in this process, without messages."""
    from sagas import executor
    from sagas.models import Direction

    for step in saga.definition.steps:
        executor.run(
            executor.Attempt(
                saga_id=saga.pk, step=step.name, direction=Direction.DO, epoch=saga.epoch
            )
        )


def until(done: Callable[[], bool]) -> float:
    """Wait until it is so, and return the seconds that it took."""
    begun = time.monotonic()
    while not done():
        if time.monotonic() - begun > _PATIENCE:
            raise SystemExit(f"{done.__name__} is not so after {_PATIENCE:g} s")
        time.sleep(_LOOK_EVERY)
    return time.monotonic() - begun


def all_complete() -> bool:
    """Tell whether no checkout is under way any more."""
    from sagas.models import COMPLETE, DATABASE, Saga

    return not Saga.objects.using(DATABASE).exclude(state=COMPLETE).exists()


def all_heard() -> bool:
    """Tell whether every consumer has heard of every event."""
    from django.db.models import Count

    from sagas.events import registry
    from sagas.events.models import Handling

    told = heard = 0
    for outbox in registry.outboxes():
        types = outbox._base_manager.using(outbox.database).values_list("type")
        for kind, number in types.annotate(Count("sequence")).order_by():
            told += number * len(registry.consumers_of(kind))
    for inbox in registry.inboxes():
        entries = inbox._base_manager.using(inbox.database)
        heard += entries.filter(status=Handling.DONE).count()
    return heard >= told
