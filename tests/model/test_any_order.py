"""Whatever happens to checkouts, in whatever order: nothing is lost, doubled or left hanging."""

from collections.abc import Callable

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Checkouts
from tests.model.profiles import chosen_profile
from tests.model.shop import Shop

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)


@pytest.mark.timeout(0)
def test_whatever_happens_in_whatever_order_the_laws_hold(open_shop: Callable[[], Shop]) -> None:
    Checkouts.open_shop = staticmethod(open_shop)
    run_state_machine_as_test(Checkouts, settings=chosen_profile())
