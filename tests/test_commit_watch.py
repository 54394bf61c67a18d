"""A commit of the product that happens at no crash point fails the test that passes it.

Every test is watched (conftest.py); these plant what must be seen into the product's own files,
by code that says it stands there.
"""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client

from orders.models import Draft
from sagas.participant import crash
from tests.commit_watch import watching
from tooling.local.instance import REPOSITORY

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

_PLANTED = REPOSITORY / "orders" / "planted.py"


def planted(body: str) -> Callable[[], None]:
    """Return a function of the product; ``save`` in it inserts a draft by one statement."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    names: dict[str, object] = {}
    source = (
        "from django.db import transaction\n"
        "from sagas.participant import crash\n"
        f"def planted(save):\n{lines}\n"
    )
    exec(compile(source, _PLANTED, "exec"), names)  # the planted code is above
    function = names["planted"]
    assert callable(function)
    return lambda: function(_save_in(names))


def _save_in(names: dict[str, object]) -> object:
    source = (
        "def save():\n"
        "    Draft.objects.using('orders').create(\n"
        "        checkout_id=uuid4(), principal='guest', email='a@b.example',\n"
        "        shipping_name='A', shipping_line1='1', shipping_city='L',\n"
        "        shipping_postal_code='1', shipping_country='GB', currency='EUR', total=1,\n"
        "        lines=[{'sku': 'MUG', 'name': 'Mug', 'quantity': 1, 'unit_price': 1}])\n"
    )
    own: dict[str, object] = {"Draft": Draft, "uuid4": uuid4}
    exec(compile(source, _PLANTED, "exec"), own)
    return own["save"]


def seen(act: Callable[[], object]) -> list[str]:
    """Return what the watch has against ``act``."""
    with watching() as watch:
        act()
    return watch.unnamed


def test_a_statement_that_commits_by_itself_without_a_point_is_seen() -> None:
    (found,) = seen(planted("save()"))
    assert "a statement on 'orders' (orders_draft) at no crash point" in found
    assert "orders/planted.py" in found


def test_a_transaction_without_a_point_is_seen() -> None:
    (found,) = seen(planted("with transaction.atomic(using='orders'):\n    save()"))
    assert "a commit on 'orders' (orders_draft) at no crash point" in found


def test_a_named_statement_and_a_named_commit_pass() -> None:
    body = """
with crash.statement("orders.save_draft", using="orders"):
    save()
with crash.committing("orders.create_order", using="orders"):
    save()
    save()
"""
    assert seen(planted(body)) == []


def test_a_second_commit_at_one_point_is_seen() -> None:
    body = 'with crash.statement("orders.save_draft", using="orders"):\n    save()\n    save()'
    (found,) = seen(planted(body))
    assert "a statement on 'orders'" in found


def test_a_point_of_another_kind_does_not_name_a_commit() -> None:
    (found,) = seen(planted('with crash.calling("sagas.publish"):\n    save()'))
    assert "a statement on 'orders'" in found


def test_what_was_rolled_back_was_not_committed() -> None:
    body = """
try:
    with transaction.atomic(using="orders"):
        save()
        raise LookupError
except LookupError:
    pass
"""
    assert seen(planted(body)) == []


def test_rows_that_a_test_writes_are_its_own() -> None:
    assert seen(lambda: User.objects.create_user("olga")) == []


def test_what_django_writes_for_itself_needs_no_name() -> None:
    user = User.objects.create_superuser("olga")
    assert seen(lambda: Client().force_login(user)) == []


def test_the_watch_leaves_nothing_behind() -> None:
    before = crash.armed()
    seen(lambda: None)
    assert crash.armed() is before
