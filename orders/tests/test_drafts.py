"""What a shopper posted is kept as long as it is needed, and no longer."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models.functions import Now

from orders import services, tasks
from orders.models import DATABASE, Draft
from orders.services import BasketLine, Contact, DraftMissing, OrderMissing
from orders.tests.posting import ADDRESS, EMAIL, TOTAL, order, post

pytestmark = pytest.mark.django_db(databases=["orders"])

LINES = [
    BasketLine(sku="MUG", name="Blue mug", quantity=2, unit_price=1250),
    BasketLine(sku="TEA", name="Earl Grey", quantity=1, unit_price=890),
]


def _let_days_pass(days: int) -> None:
    Draft.objects.using(DATABASE).update(created_at=Now() - timedelta(days=days))


def test_a_draft_keeps_what_was_posted() -> None:
    checkout_id = post(principal="guest")
    draft = services.draft_of(checkout_id=checkout_id)
    assert (draft.principal, draft.email, draft.total) == ("guest", EMAIL, TOTAL)
    assert draft.shipping_address == {**ADDRESS, "line2": ""}


def test_a_discarded_draft_is_gone() -> None:
    checkout_id = post()
    assert services.discard_draft(checkout_id=checkout_id)
    assert not services.discard_draft(checkout_id=checkout_id)
    with pytest.raises(DraftMissing):
        services.draft_of(checkout_id=checkout_id)


def test_the_contact_is_known_with_and_without_an_order() -> None:
    contact = Contact(email=EMAIL, name=ADDRESS["name"])
    assert services.contact_of(saga_id=post()) == contact
    saga_id, _ = order()
    services.discard_draft(checkout_id=saga_id)
    assert services.contact_of(saga_id=saga_id) == contact
    with pytest.raises(DraftMissing):
        services.contact_of(saga_id=uuid4())


def test_the_contact_of_a_cancelled_order_is_still_known() -> None:
    saga_id, _ = order()
    services.cancel_order(saga_id=saga_id, reason="out-of-stock")
    assert services.contact_of(saga_id=saga_id).email == EMAIL


def test_the_basket_is_known_with_and_without_an_order() -> None:
    drafted = services.basket_of(checkout_id=post())
    assert (drafted.lines, drafted.total, drafted.currency) == (LINES, TOTAL, "EUR")
    saga_id, _ = order()
    services.discard_draft(checkout_id=saga_id)
    assert services.basket_of(checkout_id=saga_id) == drafted


def test_a_checkout_without_an_order_has_none() -> None:
    with pytest.raises(OrderMissing):
        services.order_of(saga_id=post())


def test_old_drafts_are_purged_and_their_orders_stay() -> None:
    saga_id, _ = order()
    post()
    _let_days_pass(31)
    young = post()
    assert services.purge_drafts(older_than=timedelta(days=30)) == 2
    assert [draft.pk for draft in Draft.objects.using(DATABASE).all()] == [young]
    assert services.contact_of(saga_id=saga_id).email == EMAIL


def test_the_periodic_task_purges_after_thirty_days() -> None:
    post()
    _let_days_pass(29)
    tasks.purge_drafts()
    assert Draft.objects.using(DATABASE).count() == 1
    _let_days_pass(31)
    tasks.purge_drafts(a_later_versions_argument=1)
    assert not Draft.objects.using(DATABASE).exists()


def test_the_mail_says_what_was_bought_and_where_it_goes() -> None:
    saga_id, created = order()
    assert services.mail_context(services.order_of(saga_id=saga_id)) == {
        "number": created["number"],
        "name": "Ada Lovelace",
        "lines": [
            {"name": "Blue mug", "quantity": 2, "line_total": 2500},
            {"name": "Earl Grey", "quantity": 1, "line_total": 890},
        ],
        "total": TOTAL,
        "currency": "EUR",
        "address": ["Ada Lovelace", "12 St James's Square", "SW1Y 4JH London", "GB"],
    }
