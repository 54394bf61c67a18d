"""docs/howto-add-a-saga.md: its code runs as it stands there."""

import re
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from django.conf import settings as project
from pytest_django import Settings

from notifications.tests.conftest import MailServer
from payments.tests.provider import FakeProvider
from sagas import checks, operations, registry
from sagas.aftersales.tests.conftest import TOTAL, Sale
from sagas.checkout.tests.auditing import told
from sagas.models import Saga, new_saga_id
from sagas.tests.conftest import drive

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

PAGE = project.BASE_DIR / "docs" / "howto-add-a-saga.md"
MODULE = "sagas.aftersales.goodwill"


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def goodwill(settings: Settings) -> Iterator[None]:
    """The module of the page, and the line of the settings."""
    story, named, _ = blocks()
    module = ModuleType(MODULE)
    exec(story, module.__dict__)
    sys.modules[MODULE] = module
    settings.SAGAS = dict(settings.SAGAS)
    exec(named, {"SAGAS": settings.SAGAS})
    registry._load.cache_clear()
    yield
    del sys.modules[MODULE]
    registry._load.cache_clear()


def start(sale: Sale) -> Saga:
    names = {"operations": operations, "new_saga_id": new_saga_id, "checkout_id": sale.checkout_id}
    exec(blocks()[2], names)
    saga = names["saga"]
    assert isinstance(saga, Saga)
    return saga


def test_the_story_has_fewer_than_forty_lines() -> None:
    story = [line for line in blocks()[0].splitlines() if line.strip()]
    assert len(story) < 40


@pytest.mark.usefixtures("goodwill")
def test_the_saga_of_the_page_pays_back_once_and_the_audit_agrees(
    sale: Sale, provider: FakeProvider, smtp: MailServer
) -> None:
    assert list(checks.check_kind("goodwill")) == []
    saga = start(sale)
    assert start(sale).pk == saga.pk
    assert drive(saga.pk).state == "COMPLETE"
    assert provider.refunded(sale.payment.provider_ref) == 500
    assert sale.payment.refunded == 500 < TOTAL
    assert "5.00" in str(smtp.mails[-1]["Subject"])
    assert told() == []
