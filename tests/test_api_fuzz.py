"""schemathesis plays shoppers on the real system, by the OpenAPI document: no 5xx, no schema break.

`make test` runs it with a fixed seed and few examples, in about a minute; `make fuzz` for as long
as asked for, with any seed. A failing case prints a curl that replays it.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from django.contrib.auth.models import User
from django.db.models import Q
from pytest_django import Settings
from rest_framework.authtoken.models import Token

from orders.models import Order
from sagas.audit import runs
from sagas.audit.runs import Scope
from sagas.models import Finding, Saga
from tests.conftest import Stack
from tests.waiting import eventually
from tooling.local.instance import REPOSITORY

CONFIG = REPOSITORY / "tooling" / "fuzz" / "schemathesis.toml"
SEED = os.environ.get("FUZZ_SEED", "1")
#: Without them the number of examples ends the run, so that the same seed does the same.
MINUTES = float(os.environ.get("FUZZ_MINUTES", "0"))
EXAMPLES = "30"

pytestmark = [
    pytest.mark.django_db(databases="__all__", transaction=True),
    pytest.mark.timeout(600 + MINUTES * 60),
]


def fuzz(location: str, *options: str) -> tuple[int, str]:
    """Run schemathesis over a document; return its exit status and its report.

    The report is shown as it comes with -s, and when the test fails.
    """
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", location,
        "--seed", SEED, "--no-color", *options,
    ]  # fmt: skip
    report = []
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        for line in run.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            report.append(line)
    return run.returncode, "".join(report)


def test_whatever_is_sent_the_api_answers_as_its_document_says(
    shop: Stack, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = User.objects.db_manager("default").create_superuser("olga")
    token = Token.objects.using("default").create(user=olga)
    monkeypatch.setenv("FUZZ_STAFF_TOKEN", token.key)
    length = ["--max-time", str(int(MINUTES * 60))] if MINUTES else ["--max-examples", EXAMPLES]
    status, _ = fuzz(f"{shop.api}/schema", *length)
    assert status == 0, f"seed {SEED}"
    sagas = Saga.objects.using("default")
    _until_all_rest()
    # Whether the fuzz itself came to one hangs on how soon its checkouts were complete.
    _give_a_part_back(shop, token.key)
    _until_all_rest()
    ends = Counter(sagas.filter(kind="checkout").values_list("state", "reason"))
    followers = Counter(sagas.exclude(kind="checkout").values_list("kind", "state", "reason"))
    sys.stdout.write(f"What became of the checkouts: {dict(ends)}, {dict(followers)}\n")
    # It went deep: checkouts of all ends, and none that waits for a person.
    assert {state for state, _ in ends} == {"COMPLETE", "COMPENSATED"}
    assert ends["COMPENSATED", "cancelled"] > 0
    assert followers["return", "COMPLETE", ""] > 0
    assert not sagas.exclude(parked="").exists()
    # What each of them claims, domains and provider confirm.
    settings.FAKE_PROVIDER_URL = f"http://127.0.0.1:{shop.ports.provider}"
    for saga_id in sagas.values_list("pk", flat=True):
        runs.run(Scope.ONE, saga_id=saga_id)
    assert list(Finding.objects.using("default").values("saga_id", "invariant", "what")) == []


def _until_all_rest() -> None:
    moving = Q(next_attempt_at__isnull=False) | Q(lease_until__isnull=False)
    eventually(
        lambda: Saga.objects.using("default").filter(moving).count(),
        until=lambda count: count == 0,
        timeout=120,
    )


def _give_a_part_back(shop: Stack, token: str) -> None:
    """Of a completed checkout of the fuzz that nothing has followed yet."""
    sagas = Saga.objects.using("default")
    followed = sagas.exclude(follows=None).values("follows")
    complete = sagas.filter(kind="checkout", state="COMPLETE").exclude(pk__in=followed)
    order = Order.objects.using("orders").filter(saga_id=complete.values_list("pk", flat=True)[0])
    answer = httpx.post(
        f"{shop.api}/orders/{order.get().number}/refunds",
        json={"amount": 1, "reason": "goodwill"},
        headers={"Authorization": f"Token {token}", "Idempotency-Key": "after-the-fuzz"},
        timeout=20,
    )
    assert answer.status_code == 202, answer.text


def test_an_answer_that_the_document_does_not_tell_is_found(shop: Stack, tmp_path: Path) -> None:
    """The instrument sees: 404 is taken out of the document, and the fuzz complains with a curl."""
    document = httpx.get(f"{shop.api}/schema", headers={"Accept": "application/json"}, timeout=20)
    told = document.json()
    del told["paths"]["/api/v1/products/{sku}"]["get"]["responses"]["404"]
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(told))
    origin = shop.api.removesuffix("/api/v1")
    status, report = fuzz(
        str(file), "--url", origin, "--max-examples", "10", "--phases", "fuzzing",
        "--include-path", "/api/v1/products/{sku}",
    )  # fmt: skip
    assert status == 1
    assert "Undocumented status code" in report
    assert f"curl -X GET {origin}/api/v1/products/" in report
