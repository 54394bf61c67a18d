"""What each domain's database refuses of receipts, which are one table in four places."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from inventory.models import Receipt as InventoryReceipt
from notifications.models import Receipt as NotificationsReceipt
from orders.models import Receipt as OrdersReceipt
from payments.models import Receipt as PaymentsReceipt
from sagas.participant.models import AbstractReceipt

pytestmark = pytest.mark.django_db(databases="__all__")

RECEIPTS: dict[str, type[AbstractReceipt]] = {
    "orders": OrdersReceipt,
    "inventory": InventoryReceipt,
    "payments": PaymentsReceipt,
    "notifications": NotificationsReceipt,
}


@pytest.mark.parametrize("domain", RECEIPTS)
def test_a_step_of_a_saga_has_one_receipt(domain: str) -> None:
    rows = RECEIPTS[domain]._base_manager.using(domain)
    saga_id = uuid4()
    rows.create(saga_id=saga_id, step="a_step", done_at=Now())
    rows.create(saga_id=saga_id, step="another_step", done_at=Now())
    with (
        pytest.raises(IntegrityError, match=f"{domain}_receipt_once"),
        transaction.atomic(using=domain),
    ):
        rows.create(saga_id=saga_id, step="a_step", undone_at=Now())


@pytest.mark.parametrize("domain", RECEIPTS)
def test_a_receipt_says_done_or_undone(domain: str) -> None:
    rows = RECEIPTS[domain]._base_manager.using(domain)
    with (
        pytest.raises(IntegrityError, match=f"{domain}_receipt_says_something"),
        transaction.atomic(using=domain),
    ):
        rows.create(saga_id=uuid4(), step="a_step")
