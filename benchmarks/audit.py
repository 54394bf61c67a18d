"""How long the audit takes at 10 thousand and at 1 million sagas, and how much memory.

    make benchmark-audit    # or: python benchmarks/audit.py --small 10000 --large 1000000

Makes databases of its own; looks at everything, then at what changed when a thousand sagas were
written since. Made-up payments have no charges at a provider, so that both looks leave the
ledger out; the small size is looked at once more beside a fake provider that has them all.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.filling import ROOT, filled_databases

LOOKS = ("everything", "changed", "ledger")
_CHANGED = 1_000


def main() -> int:
    """Measure both sizes and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--measure", choices=LOOKS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(_measure(given.measure)))
        return 0
    lines = [
        *_of_size(given.small, LOOKS),
        *_of_size(given.large, LOOKS[:2]),
    ]
    print("\n| sagas | look | looked at | charges | seconds | µs each | peak MB |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(lines))
    return 0


def _of_size(size: int, looks: tuple[str, ...]) -> list[str]:
    with filled_databases(size) as environment, tempfile.TemporaryDirectory() as folder:
        environment["LEDGER"] = f"{folder}/provider.jsonl"
        return [_line(size, look, environment) for look in looks]


def _line(size: int, look: str, environment: Mapping[str, str]) -> str:
    command = [sys.executable, __file__, "--measure", look]
    measured = subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    found: Mapping[str, Any] = json.loads(measured.stdout.splitlines()[-1])
    each = 1e6 * found["seconds"] / found["sagas"]
    return (
        f"| {size:,} | {look} | {found['sagas']:,} | {found['charges']:,} "
        f"| {found['seconds']:.1f} | {each:.0f} | {found['megabytes']:.0f} |"
    )


def _measure(look: str) -> Mapping[str, Any]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.conf import settings

    from sagas.audit import findings, runs

    _tidy_up()
    scope = runs.Scope.CHANGED if look == "changed" else runs.Scope.EVERYTHING
    if look == "ledger":
        with _provider(Path(os.environ["LEDGER"])) as url:
            settings.FAKE_PROVIDER_URL = url
            run = runs.run(scope)
    else:
        settings.PAYMENT_GATEWAYS = {}
        run = runs.run(scope)
    wrong = [str(each) for each in findings.open_findings().filter(severity="violation")[:5]]
    if wrong or run.not_looked_at:
        raise SystemExit(f"not clean: {wrong}, not looked at: {run.not_looked_at}")
    return {
        "sagas": run.sagas,
        "charges": run.charges,
        "seconds": run.seconds,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _tidy_up() -> None:
    """Gather statistics; give what moves its time, since no worker runs here; touch a few."""
    from django.db import connections

    for connection in connections.all():
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("RESET statement_timeout")
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "UPDATE sagas_saga SET revision = revision + 1,"
            " deadline_at = now() + interval '1 hour',"
            " lease_until = lease_until + (now() + interval '1 hour' - lease_until),"
            " next_attempt_at = next_attempt_at + (now() + interval '1 hour' - next_attempt_at)"
            " WHERE state NOT IN ('COMPLETE', 'COMPENSATED')"
        )
        cursor.execute(
            "UPDATE sagas_saga SET revision = revision + 1, updated_at = now() WHERE id IN"
            " (SELECT id FROM sagas_saga WHERE state = 'COMPLETE' ORDER BY id LIMIT %s)",
            [_CHANGED],
        )


@contextmanager
def _provider(journal: Path) -> Iterator[str]:
    """Run a fake provider whose ledger has every made-up payment."""
    _write_ledger(journal)
    command = [sys.executable, "-m", "tooling.fakepay", "--port", "0", "--journal", str(journal)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip().rpartition(" ")[2]
        process.terminate()


def _write_ledger(journal: Path) -> None:
    from payments.models import Payment

    with journal.open("w") as lines:
        for payment in Payment.objects.using("payments").order_by("created_at"):
            created = int(payment.created_at.timestamp())
            intent = {
                "id": payment.provider_ref,
                "object": "payment_intent",
                "amount": payment.amount,
                "amount_received": payment.captured,
                "created": created,
                "currency": payment.currency.lower(),
                "latest_charge": f"ch_{payment.pk.hex}" if payment.captured else None,
                "metadata": {"payment_id": str(payment.pk)},
            }
            lines.write(json.dumps({"event": "intent", "intent": intent}) + "\n")
            if payment.refunded:
                refund = {
                    "id": f"re_{payment.pk.hex}",
                    "amount": payment.refunded,
                    "payment_intent": payment.provider_ref,
                    "status": "succeeded",
                }
                lines.write(json.dumps({"event": "refund", "refund": refund}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
