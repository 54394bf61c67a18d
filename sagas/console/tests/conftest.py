"""Fixtures of the console's tests: a shopper, staff of each group, provider and mail server."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connections
from django.test import Client

from notifications.tests.conftest import MailServer, smtp
from payments.tests.conftest import provider, running_provider
from payments.tests.provider import FakeProvider
from sagas.checkout.tests.shopping import Shopper, stock_the_shelf
from sagas.tests.conftest import stage

__all__ = ["provider", "running_provider", "smtp", "stage"]


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs are due at once."""
    monkeypatch.setattr("sagas.definitions.Retry.delay_after", lambda self, attempts: 0.0)


@pytest.fixture
def guest(transactional_db: None) -> Shopper:
    stock_the_shelf()
    return Shopper()


@pytest.fixture
def staff_groups(transactional_db: None) -> None:
    """The groups of the migration again: tables are emptied after each test."""
    make_groups()


def make_groups() -> None:
    """Make the groups as the migrations do."""
    groups = import_module("sagas.migrations.0006_staff_groups")
    audit = import_module("sagas.migrations.0007_audit")
    chaos = import_module("sagas.migrations.0008_staging_chaos")
    aftersales = import_module("sagas.migrations.0012_aftersales_groups")
    with connections["default"].schema_editor() as editor:
        groups.make_groups(apps, editor)
        audit.extend_groups(apps, editor)
        chaos.allow_operators(apps, editor)
        aftersales.extend_groups(apps, editor)


@pytest.fixture
def operator(staff_groups: None) -> Client:
    return staff("olga", "operator")


@pytest.fixture
def outside(provider: FakeProvider, smtp: MailServer, staff_groups: None) -> None:
    """Everything that a checkout talks to, and the groups of staff."""


def staff(name: str, group: str) -> Client:
    """Return a client in which a new member of ``group`` is signed in."""
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client
