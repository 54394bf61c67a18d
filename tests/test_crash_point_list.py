"""The list of crash points is read from the code, and the code has nothing that is not on it."""

from pathlib import Path

import pytest

from tooling.crashtest.points import BadName, Kind, points, unnamed
from tooling.crashtest.source import Module, product
from tooling.local.instance import REPOSITORY

PRODUCT = product(REPOSITORY)


def planted(text: str, path: str = "orders/planted.py") -> list[Module]:
    """Return the product with one module more."""
    return [*PRODUCT, Module(Path(path), text)]


def test_every_point_is_named_once_and_says_whose_it_is() -> None:
    found = points(PRODUCT)
    assert len({point.name for point in found}) == len(found) > 70
    for point in found:
        domain = point.where.partition("/")[0]
        assert point.name.startswith(f"{domain}."), point


def test_the_list_knows_what_happens_at_a_point() -> None:
    kinds = {point.name: point.kind for point in points(PRODUCT)}
    assert kinds["sagas.claim"] is Kind.STATEMENT
    assert kinds["sagas.publish"] is Kind.CALL
    # Named by a keyword of do_once, and by an argument of a function in records.
    assert kinds["orders.create_order"] is Kind.COMMIT
    assert kinds["payments.record_capture"] is Kind.COMMIT


def test_a_name_that_stands_at_two_places_is_refused() -> None:
    text = """
from sagas.participant import crash
def again():
    with crash.statement("orders.save_draft", using="orders"):
        pass
"""
    with pytest.raises(BadName, match=r"orders\.save_draft"):
        points(planted(text))


def test_a_name_that_is_put_together_is_refused() -> None:
    text = """
from sagas.participant import crash
def named(what):
    with crash.calling(f"orders.{what}"):
        pass
"""
    with pytest.raises(BadName, match=r"orders/planted\.py:4: .* literal"):
        points(planted(text))


def test_nothing_commits_publishes_or_calls_without_a_point() -> None:
    assert unnamed(PRODUCT) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "from django.db import transaction\nwith transaction.atomic(using='orders'): pass",
            "atomic",
        ),
        ("from django.db.transaction import atomic\nwith atomic(using='orders'): pass", "atomic"),
        ("def f(connection):\n    connection.set_autocommit(False)", "set_autocommit"),
        ("def f(task):\n    task.apply_async(queue='orders')", "apply_async"),
        ("def f(task):\n    task.delay()", "delay"),
        ("def f(app):\n    app.send_task('sagas.wake')", "send_task"),
        ("from notifications.delivery import deliver\ndeliver(None)", "deliver"),
        (
            "from payments.gateways.registry import gateway\n"
            "def f():\n    provider = gateway()\n    provider.refund(ref='', key='', amount=1)",
            "refund",
        ),
        ("import httpx", "httpx"),
        ("from django.core.mail import send_mail", "django.core.mail"),
    ],
)
def test_what_stands_at_no_point_is_found(text: str, fault: str) -> None:
    (found,) = unnamed(planted(text))
    assert fault.replace("\\", "") in found
    assert found.startswith("orders/planted.py")


def test_a_call_in_a_function_that_is_only_defined_in_the_block_is_not_held() -> None:
    text = """
from sagas.participant import crash
def f(task):
    with crash.calling("orders.publish"):
        return lambda: task.apply_async()
"""
    (found,) = unnamed(planted(text))
    assert "apply_async" in found


def test_a_point_of_another_kind_does_not_hold_a_call() -> None:
    text = """
from sagas.participant import crash
def f(task):
    with crash.statement("orders.publish", using="orders"):
        task.apply_async()
"""
    (found,) = unnamed(planted(text))
    assert "apply_async" in found
