"""How the console's pages, and recovery's scan, behave at 10 thousand and at 1 million sagas.

    make benchmark          # or: python benchmarks/console.py --small 10000 --large 1000000

Makes databases of its own beside those of the environment, fills them, asks for each page
as a signed-in superuser, counts the queries, and drops the databases. The ratio is the figure.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.filling import filled_databases

ROUNDS = 7

_LIST = "/admin/sagas/saga/"
PAGES = {
    "dashboard": "/admin/",
    "list": _LIST,
    "list, page 100": f"{_LIST}?p=100",
    "list, stuck": f"{_LIST}?stuck=yes",
    "list, FAILED": f"{_LIST}?state=FAILED",
    "list, COMPENSATED": f"{_LIST}?state=COMPENSATED",
    "list, in doubt": f"{_LIST}?why=in_doubt",
    "list, card-declined": f"{_LIST}?reason=card-declined",
    "list, error at charge": f"{_LIST}?step=charge_payment",
    "list, last hour": f"{_LIST}?age=hour",
    "list, 500.00 and more": f"{_LIST}?amount=huge",
    "search by number": f"{_LIST}?q={{number}}",
    "search by mail": f"{_LIST}?q={{mail}}",
    "search by id": f"{_LIST}?q={{saga}}",
    "search by provider's id": f"{_LIST}?q={{ref}}",
    "saga, complete": f"{_LIST}{{saga}}/change/",
    "saga, failed": f"{_LIST}{{failed}}/change/",
    "needs a human": f"{_LIST}needs-a-human/",
}


def main() -> int:
    """Measure both sizes and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(_measure()))
        return 0
    found = [_of_size(size) for size in (given.small, given.large)]
    small, large = found
    print(f"\n| page | queries at {given.small:,} | at {given.large:,} | ms | ms | ratio |")
    print("|---|---|---|---|---|---|")
    for name in small:
        (few, fast), (many, slow) = small[name], large[name]
        print(f"| {name} | {few} | {many} | {fast:.0f} | {slow:.0f} | {slow / fast:.1f} |")
    return 0


def _of_size(size: int) -> Mapping[str, tuple[int, float]]:
    with filled_databases(size) as environment:
        measured = subprocess.run(
            [sys.executable, __file__, "--measure"],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        answer: Mapping[str, tuple[int, float]] = json.loads(measured.stdout.splitlines()[-1])
        return answer


def _measure() -> Mapping[str, tuple[int, float]]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.db import connections
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    for connection in connections.all():
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("VACUUM ANALYZE")
    client = Client()
    client.force_login(User.objects.create_superuser("bench"))
    names = _names()
    found = {}
    for name, page in PAGES.items():
        url = page.format(**names)
        took = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            answer = client.get(url)
            took.append(1000 * (time.perf_counter() - begun))
            if answer.status_code != HTTPStatus.OK:
                raise SystemExit(f"{name}: {url} answers {answer.status_code}")
        with ExitStack() as stack:
            captured = [
                stack.enter_context(CaptureQueriesContext(each)) for each in connections.all()
            ]
            client.get(url)
        found[name] = (sum(map(len, captured)), statistics.median(took))
    return {**found, "recovery's scan": (1, _scan())}


def _scan() -> float:
    """Return the milliseconds that recovery takes to find out what is due."""
    from django.conf import settings

    from sagas import journal

    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        list(journal.due_sagas().values_list("pk", flat=True)[: settings.SAGA_RECOVERY_BATCH])
        took.append(1000 * (time.perf_counter() - begun))
    return statistics.median(took)


def _names() -> dict[str, str]:
    """Return what is searched for: a complete checkout from the middle, and a failed one."""
    from orders.models import Order
    from payments.models import Payment
    from sagas.models import DATABASE, FAILED, Saga

    complete = Saga.objects.using(DATABASE).filter(state="COMPLETE").order_by("created_at")
    saga = complete[complete.count() // 2]
    order = Order.objects.using("orders").get(saga_id=saga.pk)
    failed = Saga.objects.using(DATABASE).filter(state=FAILED)[0]
    return {
        "saga": str(saga.pk),
        "failed": str(failed.pk),
        "number": order.number,
        "mail": order.email,
        "ref": Payment.objects.using("payments").get(saga_id=saga.pk).provider_ref,
    }


if __name__ == "__main__":
    sys.exit(main())
