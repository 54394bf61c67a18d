"""Starts the system, runs the scenarios, prints the table, stops the system."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import django

from tooling.demo.audit import audit
from tooling.local.commands import manage, migrate
from tooling.local.instance import Instance
from tooling.local.ledger import Ledger
from tooling.local.services import embedded
from tooling.local.stack import Ports, journal_of, mails_of, start_all, supervise
from tooling.local.supervisor import Supervisor, tail

#: Short leases, ticks and back-offs, so that recovery is seen in seconds. No other code.
SHORT_TIMES = {
    "SAGA_QUEUE_LEASE": "3",
    "SAGA_LEASE_MARGIN": "1",
    "SAGA_RECOVERY_INTERVAL": "1",
    "STEP_TIME_LIMIT": "4",
    "OUTSIDE_STEP_TIME_LIMIT": "5",
    "RETRY_FIRST_DELAY": "0.5",
    "RETRY_MAX_DELAY": "2",
    "RETRY_ATTEMPTS_MUST_SUCCEED": "30",
    "PAYMENT_READ_TIMEOUT": "4",
    "EMAIL_TIMEOUT": "2",
    "BROKER_VISIBILITY_TIMEOUT": "10",
}


def main() -> int:
    """Run the demo on a fresh shop; 0 only if all ended as it must and the audit is clean."""
    begun = time.monotonic()
    instance = Instance("demo")

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:5.1f} s  {text}", flush=True)

    say("starting embedded PostgreSQL (five databases) and Valkey")
    forget(instance)
    with embedded(instance):
        Ledger(instance.ledger).note("supervisor", os.getpid())
        ports = Ports.choose()
        environment = {**os.environ, **instance.environment(), **ports.environment(), **SHORT_TIMES}
        say("migrating five databases, filling the catalogue")
        migrate(environment)
        manage(environment, "load_catalogue")
        say("starting the web server, four workers, beat, the provider and the mail server")
        with supervise(instance, environment, echo=False) as supervisor:
            start_all(supervisor, instance, ports)
            say("placing checkouts over HTTP")
            return _play(supervisor, instance, ports, environment, say=say)


def _play(
    supervisor: Supervisor,
    instance: Instance,
    ports: Ports,
    environment: dict[str, str],
    *,
    say: Callable[[str], None],
) -> int:
    os.environ.update(environment)
    django.setup()
    # The models can be imported only now that the settings know the servers.
    from tooling.demo.evidence import Witnesses
    from tooling.demo.report import table
    from tooling.demo.scenarios import Demo
    from tooling.demo.shopper import Shopper

    api = f"http://127.0.0.1:{ports.web}/api/v1"
    witnesses = Witnesses(
        api=api, provider=f"http://127.0.0.1:{ports.provider}", mails=mails_of(instance)
    )
    demo = Demo(supervisor, ports, Shopper(api), witnesses, journal_of(instance), say)
    rows = demo.run()
    print(f"\n{table(rows)}\n", flush=True)
    wrong = [f"{row.tried}: {'; '.join(row.faults)}" for row in rows if row.faults]
    say("auditing the five databases and the provider's ledger")
    looked_at, faults = audit(environment)
    wrong += [f"audit: {fault}" for fault in faults]
    for each in wrong:
        print(f"WRONG {each}")
    if wrong:
        for log in sorted(instance.logs.glob("*.log")):
            print(f"\n--- {log}\n{tail(log)}")
        return 1
    say(f"all {len(rows)} are as they must be; the audit is clean: {looked_at}")
    return 0


def forget(instance: Instance) -> None:
    """Begin with an empty shop, whatever an earlier demo left."""
    with instance.held():
        kept = {instance.ledger, instance.folder / "lock", instance.sockets}
        for path in set(instance.folder.iterdir()) - kept:
            _remove(path)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
