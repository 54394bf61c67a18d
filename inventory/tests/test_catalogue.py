"""The demo shop opens once; a repeat restores nothing that was sold."""

from io import StringIO

import pytest
from django.core.management import call_command

from inventory import services
from inventory.catalogue import CATALOGUE
from inventory.models import DATABASE, Product
from inventory.tests.shelf import cart, reserve

pytestmark = pytest.mark.django_db(databases=["inventory"])


def _load(*options: str) -> str:
    said = StringIO()
    call_command("load_catalogue", *options, stdout=said)
    return said.getvalue()


def _available(sku: str) -> int:
    return services.quote(lines=cart(**{sku: 1})).lines[0].available


def test_the_catalogue_has_what_the_demo_needs() -> None:
    assert "12 of them new" in _load()
    assert services.products_for_sale().count() == len(CATALOGUE) == 12
    assert (_available("LAST-UNIT"), _available("SOLD-OUT")) == (1, 0)
    assert _available("MUG-BLUE") >= 500


def test_a_repeat_restores_nothing_that_was_sold() -> None:
    _load()
    reserve(None, **{"LAST-UNIT": 1, "MUG-BLUE": 2})
    assert "0 of them new" in _load()
    assert (_available("LAST-UNIT"), _available("MUG-BLUE")) == (0, 498)


def test_a_repeat_keeps_what_staff_changed() -> None:
    _load()
    Product.objects.using(DATABASE).filter(pk="MUG-BLUE").update(price=1)
    _load()
    assert Product.objects.using(DATABASE).get(pk="MUG-BLUE").price == 1


def test_a_reset_makes_the_first_day_again_and_keeps_what_is_held() -> None:
    _load()
    reserve(None, **{"LAST-UNIT": 1})
    _load("--reset-stock")
    assert _available("LAST-UNIT") == 1
    assert Product.objects.using(DATABASE).get(pk="LAST-UNIT").stock.reserved == 1
