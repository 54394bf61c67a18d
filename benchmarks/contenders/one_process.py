"""Our own checkout without Celery: all steps of each one after the other, in one process.

Run by ``benchmarks/throughput.py``. What it costs less than the real system is what messages
between the steps cost: the most that longer links could save.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from benchmarks import system
from benchmarks.contenders import runner
from benchmarks.contenders.runner import Contender

_WARM_UP = 20
#: Of the broker's, in which nobody waits for messages.
_VIRTUAL_HOST = 8


@contextmanager
def running(environment: Mapping[str, str]) -> Iterator[Contender]:
    """Keep it running on our own databases.

    Args:
        environment: of our own shop, whose recovery has to stand still meanwhile.
    """
    given = {
        **environment,
        "BROKER_URL": f"{environment['BROKER_URL']}?virtual_host={_VIRTUAL_HOST}",
        "LOG_LEVEL": "ERROR",
    }
    begin = "from benchmarks.contenders import one_process; one_process.main()"
    with runner.running("one process", [sys.executable, "-c", begin], given) as contender:
        yield contender


def main() -> None:
    """Serve ``place N`` and ``run N`` until the input ends."""
    system.set_up_django()
    _place(_WARM_UP)
    _run()
    print("ready", flush=True)
    for line in sys.stdin:
        verb, number = line.split()
        seconds = _place(int(number)) if verb == "place" else _run()
        print(json.dumps({"seconds": seconds}), flush=True)


def _place(checkouts: int) -> float:
    begun = time.monotonic()
    for _ in range(checkouts):
        system.place()
    return time.monotonic() - begun


def _run() -> float:
    from sagas.models import COMPLETE, DATABASE, Saga

    sagas = list(Saga.objects.using(DATABASE).exclude(state=COMPLETE))
    begun = time.monotonic()
    for saga in sagas:
        system.do_all_steps(saga)
    return time.monotonic() - begun
