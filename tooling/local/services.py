"""The embedded servers of an instance, up for as long as a block runs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tooling.local.embedded import Postgres, Valkey
from tooling.local.instance import Instance
from tooling.local.ledger import Ledger


@dataclass(frozen=True)
class Services:
    """Running embedded servers."""

    postgres: Postgres
    valkey: Valkey


@contextmanager
def embedded(instance: Instance) -> Iterator[Services]:
    """Hold the instance and keep its PostgreSQL and Valkey up.

    Raises:
        AlreadyRunning: another process holds the instance.
        CannotStart: a server did not come up.
    """
    with instance.held(), ExitStack() as stack:
        ledger = Ledger(instance.ledger)
        # Nobody holds the instance, so what still runs was left by a holder that was killed.
        ledger.end_all()
        services = Services(Postgres(instance), Valkey(instance))
        stack.callback(services.postgres.stop)
        services.postgres.start()
        ledger.note("postgres", services.postgres.pid)
        stack.callback(services.valkey.stop)
        services.valkey.start()
        ledger.note("valkey", services.valkey.pid)
        yield services
