from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from payments.tests import staging
from payments.tests.provider import FakeProvider
from payments.tests.staging import Stage


@pytest.fixture(scope="session")
def running_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeProvider]:
    """One provider process for all tests that do not kill it."""
    provider = FakeProvider(tmp_path_factory.mktemp("fakepay") / "journal.jsonl")
    yield provider
    provider.stop()


@pytest.fixture
def provider(running_provider: FakeProvider, settings: Settings) -> FakeProvider:
    """The provider, and settings that lead to it."""
    settings.PAYMENT_PROVIDER = "fake"
    settings.FAKE_PROVIDER_URL = running_provider.url
    settings.PAYMENT_READ_TIMEOUT = 20.0
    return running_provider


@pytest.fixture
def mortal_provider(tmp_path: Path, settings: Settings) -> Iterator[FakeProvider]:
    """A provider of the test's own, to be killed and started again."""
    provider = FakeProvider(tmp_path / "journal.jsonl")
    settings.PAYMENT_PROVIDER = "fake"
    settings.FAKE_PROVIDER_URL = provider.url
    yield provider
    if provider.process.poll() is None:
        provider.stop()


@pytest.fixture
def stage(provider: FakeProvider, settings: Settings) -> Iterator[Stage]:
    """Workers die and freeze where the test says."""
    settings.PAYMENT_GATEWAYS = {"fake": "payments.tests.staging.StagedGateway"}
    staging.stage.cues.clear()
    yield staging.stage
    assert not staging.stage.cues, "a cue was never reached"
