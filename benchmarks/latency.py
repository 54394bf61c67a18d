"""How long a shopper waits: for the POST to be accepted, and from it to COMPLETE.

    make bench-latency    # or: python benchmarks/latency.py --checkouts 200

Checkouts are posted to the production server (gunicorn), as shoppers do. Measured are: one at a
time, beside DBOS and a plain Celery chain; at 70 % of what the system completes; the POST alone,
while the workers stand still; the POST while they are saturated; and 64 buyers of one product at
once, beside 64 buyers of as many different ones.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import system
from benchmarks.contenders import dbos_runner, naive_runner
from benchmarks.cpu import Meter
from benchmarks.system import System
from tooling.local.instance import REPOSITORY
from tooling.local.stack import WORKERS
from tooling.soak.recovering import percentile

_WARM_UP = 50
_SHOPPERS = 8
_BUYERS = 64
_SHARE_OF_CAPACITY = 0.7
_HOT = "HOT"
_REPORT = REPOSITORY / "build" / "bench" / "latency.json"


@dataclass(frozen=True, kw_only=True)
class Waited:
    """What was waited for, and how long: seconds at the 50th and the 95th of a hundred."""

    what: str
    number: int
    p50: float
    p95: float


def main() -> int:
    """Measure, print a table, write build/bench/latency.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkouts", type=int, default=100)
    given = parser.parse_args()
    with system.running() as ours:
        with dbos_runner.running(ours.environment) as dbos:
            theirs = [_waited("DBOS, one at a time", dbos.each(given.checkouts))]
        with naive_runner.running(ours.environment) as naive:
            theirs.append(_waited("Celery + ORM, one at a time", naive.each(given.checkouts)))
        capacity = _capacity(ours, given.checkouts)
        waited = [
            _one_at_a_time(ours, given.checkouts),
            *theirs,
            *_at_a_pace(ours, given.checkouts, pace=_SHARE_OF_CAPACITY * capacity),
            *_posts(ours, given.checkouts),
        ]
        intake = _intake(ours, 4 * given.checkouts)
        hot = _hot(ours)
    print("| | number | p50 ms | p95 ms |\n|---|---|---|---|")
    for each in waited:
        print(f"| {each.what} | {each.number} | {1000 * each.p50:.0f} | {1000 * each.p95:.0f} |")
    for name, figure in {**intake, **hot}.items():
        print(f"{name}: {figure:.2f}")
    told = {"waited": [asdict(each) for each in waited], **intake, **hot}
    _REPORT.parent.mkdir(parents=True, exist_ok=True)
    _REPORT.write_text(json.dumps(told, indent=2))
    return 0


def _capacity(ours: System, checkouts: int) -> float:
    """Return how many checkouts a second a backlog is worked off with."""
    for number in (_WARM_UP, checkouts):
        with ours.standing_still("domain"):
            for _ in range(number):
                system.place()
        seconds = system.until(system.all_complete)
    return checkouts / seconds


def _one_at_a_time(ours: System, checkouts: int) -> Waited:
    with httpx.Client(base_url=ours.address, timeout=30) as client:
        spent: list[float] = []
        for _ in range(checkouts):
            spent += _until_complete([_post(client)])
    return _waited("POST to COMPLETE, one at a time", spent)


def _at_a_pace(ours: System, checkouts: int, *, pace: float) -> Sequence[Waited]:
    """Post so many a second, whatever becomes of those before."""
    posted: list[Posted] = []
    with httpx.Client(base_url=ours.address, timeout=30) as client:
        begun = time.monotonic()
        shoppers = []
        for number in range(checkouts):
            time.sleep(max(0.0, begun + number / pace - time.monotonic()))
            shoppers.append(threading.Thread(target=lambda: posted.append(_post(client))))
            shoppers[-1].start()
        for shopper in shoppers:
            shopper.join()
    share = f"{_SHARE_OF_CAPACITY:.0%}"
    return [
        _waited(f"POST to COMPLETE, at {share} of capacity", _until_complete(posted)),
        _waited(f"POST accepted, at {share} of capacity", [each.accepted for each in posted]),
    ]


def _posts(ours: System, checkouts: int) -> Sequence[Waited]:
    """Post one at a time while the workers have nothing to do, and while they have too much."""
    with httpx.Client(base_url=ours.address, timeout=30) as client:
        idle = []
        for _ in range(checkouts):
            idle.append(_post(client).accepted)
            system.until(system.all_complete)
        with ours.standing_still("domain"):
            for _ in range(3 * checkouts):
                system.place()
        busy = [_post(client).accepted for _ in range(checkouts)]
        still_busy = not system.all_complete()
        system.until(system.all_complete)
    if not still_busy:
        raise SystemExit("the workers were done before the shoppers: place more")
    return [
        _waited("POST accepted, workers idle", idle),
        _waited("POST accepted, workers saturated", busy),
    ]


def _intake(ours: System, checkouts: int) -> Mapping[str, float]:
    """Let a crowd post while every worker stands still."""
    meter = Meter({"web": ours.roots["web"], "postgres": ours.servers["postgres"]})
    with ours.standing_still(*WORKERS):
        meter.begin()
        seconds, posted = _crowd(ours, [()] * checkouts, shoppers=_SHOPPERS)
        spent = meter.seconds()
    system.until(system.all_complete)
    return {
        "intake alone, accepted/s": checkouts / seconds,
        "intake alone, p95 ms": 1000 * percentile([each.accepted for each in posted], 0.95),
        **{f"intake alone, CPU ms, {k}": 1000 * v / checkouts for k, v in spent.items()},
    }


def _hot(ours: System) -> Mapping[str, float]:
    """Compare as many buyers of one product with buyers of one product each."""
    from inventory.services import add_product

    skus = [_HOT, *(f"{_HOT}-{number}" for number in range(_BUYERS))]
    for sku in skus:
        add_product(
            sku=sku, name=sku, description="", price=1500, currency="EUR", on_hand=10 * _BUYERS
        )
    apart = _sold(ours, [(sku,) for sku in skus[1:]])
    failed_before = _attempts_that_failed()
    together = _sold(ours, [(_HOT,)] * _BUYERS)
    return {
        f"{_BUYERS} buyers of one product, completed/s": together,
        f"{_BUYERS} buyers of different ones, completed/s": apart,
        "one product to different ones": together / apart,
        "attempts that failed, of one product": _attempts_that_failed() - failed_before,
    }


def _sold(ours: System, orders: Sequence[tuple[str, ...]]) -> float:
    with ours.standing_still("domain"):
        _crowd(ours, orders, shoppers=_SHOPPERS)
    return len(orders) / system.until(system.all_complete)


def _attempts_that_failed() -> int:
    from sagas.models import DATABASE, Outcome, StepRun

    return StepRun.objects.using(DATABASE).exclude(outcome=Outcome.SUCCEEDED).count()


@dataclass(frozen=True)
class Posted:
    """An accepted checkout: its id, when it was posted (wall clock), and the POST's seconds."""

    checkout_id: str
    at: float
    accepted: float


def _post(client: httpx.Client, *skus: str) -> Posted:
    at = time.time()
    key = {"Idempotency-Key": str(uuid4())}
    answer = client.post("/api/v1/checkouts", json=system.order(*skus), headers=key)
    answer.raise_for_status()
    return Posted(answer.json()["id"], at, time.time() - at)


def _crowd(
    ours: System, orders: Sequence[tuple[str, ...]], *, shoppers: int
) -> tuple[float, Sequence[Posted]]:
    """Let so many shoppers post these orders side by side; return the seconds, and the posts."""
    left, posted = list(orders), list[Posted]()

    def shop() -> None:
        with httpx.Client(base_url=ours.address, timeout=30) as client:
            while True:
                try:
                    skus = left.pop()
                except IndexError:
                    return
                posted.append(_post(client, *skus))

    return _timed(shop, shoppers), posted


def _timed(shop: Callable[[], None], shoppers: int) -> float:
    begun = time.monotonic()
    threads = [threading.Thread(target=shop) for _ in range(shoppers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - begun


def _until_complete(posted: Sequence[Posted]) -> Sequence[float]:
    """Wait for all, and return the seconds from each POST until the row says COMPLETE."""
    from sagas.models import DATABASE, Saga

    system.until(system.all_complete)
    at = {each.checkout_id: each.at for each in posted}
    sagas = Saga.objects.using(DATABASE).filter(pk__in=list(at))
    return [saga.finished_at.timestamp() - at[str(saga.pk)] for saga in sagas if saga.finished_at]


def _waited(what: str, seconds: Sequence[float]) -> Waited:
    return Waited(
        what=what,
        number=len(seconds),
        p50=percentile(seconds, 0.5),
        p95=percentile(seconds, 0.95),
    )


if __name__ == "__main__":
    sys.exit(main())
