"""Production does not start unsafe; each refusal says its mend."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.safety import EMBEDDED_MARKER, STRIPE, StripeAccess, refuse_unsafe_production

ROOT = Path(__file__).resolve().parents[2]
DATABASES = ("", "ORDERS_", "INVENTORY_", "PAYMENTS_", "NOTIFICATIONS_")
SAFE = {
    "MAKEGOOD_ENV": "production",
    "SECRET_KEY": "k" * 60,
    "ALLOWED_HOSTS": "shop.example",
    "BROKER_URL": "amqp://broker.example//",
    **{f"{name}DATABASE_URL": "postgres://u:p@db.example/x" for name in DATABASES},
}


LIVE = StripeAccess(
    secret_key="rk_live_1", webhook_secrets=("whsec_1",), api_base=STRIPE, allow_test_key=False
)


def check(**changes: str | None) -> subprocess.CompletedProcess[str]:
    """Run ``manage.py check`` under a production environment; None takes a variable away."""
    given = {name: value for name, value in {**SAFE, **changes}.items() if value is not None}
    return manage("check", **given)


def manage(command: str, **given: str) -> subprocess.CompletedProcess[str]:
    """Run a management command with these variables and no others of ours."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", command],
        cwd=ROOT,
        env={**kept, **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("variable", "value", "mend"),
    [
        ("SECRET_KEY", None, "set a long random one"),
        ("SECRET_KEY", "short", "set a long random one"),
        ("DEBUG", "true", "DEBUG is on; unset it"),
        ("ALLOWED_HOSTS", None, "ALLOWED_HOSTS must list"),
        ("ALLOWED_HOSTS", "shop.example,*", "ALLOWED_HOSTS must list"),
        ("BROKER_URL", None, "BROKER_URL is not set"),
        ("PAYMENTS_DATABASE_URL", None, "PAYMENTS_DATABASE_URL is not set"),
        ("ORDERS_DATABASE_URL", "sqlite:///x.db", "the code needs PostgreSQL"),
        ("MAKEGOOD_ENV", "live", "set it to production, staging, development or test"),
        ("STAGING_CHAOS", "true", "unset it, or on a staging site set MAKEGOOD_ENV=staging"),
    ],
)
def test_production_refuses_to_start(variable: str, value: str | None, mend: str) -> None:
    answer = check(**{variable: value})
    assert answer.returncode != 0
    assert "ImproperlyConfigured" in answer.stderr
    assert mend in answer.stderr


def test_no_environment_at_all_means_production() -> None:
    answer = check(MAKEGOOD_ENV=None, SECRET_KEY=None)
    assert "Production refuses to start" in answer.stderr


def test_a_safe_production_loads_its_settings() -> None:
    answer = check(PAYMENT_PROVIDER="fake", PAYMENT_ALLOW_FAKE="true")
    assert answer.returncode == 0, answer.stderr


def test_a_staging_site_is_as_strict_and_may_stage_faults() -> None:
    play = {"MAKEGOOD_ENV": "staging", "PAYMENT_PROVIDER": "fake", "PAYMENT_ALLOW_FAKE": "true"}
    assert "SECRET_KEY is missing" in check(**play, SECRET_KEY=None).stderr
    answer = check(**play, STAGING_CHAOS="true")
    assert answer.returncode == 0, answer.stderr


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    (tmp_path / EMBEDDED_MARKER).touch()
    return tmp_path


def refusal(**changes: Any) -> str:
    safe: dict[str, Any] = {
        "secret_key": "k" * 60,
        "debug": False,
        "allowed_hosts": ["shop.example"],
        "databases": {"default": {"HOST": "db.example"}},
        "broker_url": "amqp://broker.example//",
        "payment_provider": "elsewhere",
        "allow_fake": False,
        "chaos": False,
        "stripe": LIVE,
    }
    with pytest.raises(ImproperlyConfigured) as refused:
        refuse_unsafe_production(**{**safe, **changes})
    return str(refused.value)


def test_production_refuses_the_embedded_postgresql(embedded: Path) -> None:
    words = refusal(databases={"orders": {"HOST": str(embedded)}})
    assert "database 'orders' is the embedded PostgreSQL" in words


def test_production_refuses_the_embedded_broker(embedded: Path) -> None:
    words = refusal(broker_url=f"redis+socket://{embedded}/valkey.sock")
    assert "BROKER_URL is the embedded Valkey" in words


def test_production_refuses_embedded_parts_in_a_folder_with_odd_characters(
    tmp_path: Path,
) -> None:
    odd = tmp_path / "a b"
    odd.mkdir()
    (odd / EMBEDDED_MARKER).touch()
    quoted = str(odd).replace(" ", "%20")
    assert "Valkey" in refusal(broker_url=f"redis+socket://{quoted}/valkey.sock")


def test_production_refuses_play_money() -> None:
    words = refusal(payment_provider="fake")
    assert "set PAYMENT_ALLOW_FAKE=true" in words


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        ({"secret_key": ""}, "STRIPE_SECRET_KEY is missing"),
        ({"secret_key": "pk_live_1"}, "no secret key"),
        ({"secret_key": "sk_test_1"}, "set STRIPE_ALLOW_TEST_KEY=true"),
        ({"webhook_secrets": ()}, "STRIPE_WEBHOOK_SECRETS is missing"),
        ({"webhook_secrets": ("sk_live_1",)}, "no signing secret"),
        ({"api_base": "http://127.0.0.1:8790"}, "STRIPE_API_BASE leads elsewhere; unset it"),
        ({"api_base": "https://api.stripe.com.example"}, "STRIPE_API_BASE leads elsewhere"),
    ],
)
def test_production_refuses_a_stripe_that_cannot_work(change: dict[str, Any], mend: str) -> None:
    assert mend in refusal(payment_provider="stripe", stripe=replace(LIVE, **change))


def test_production_takes_stripe_and_a_staging_site_its_test_mode() -> None:
    stripe = {"PAYMENT_PROVIDER": "stripe", "STRIPE_WEBHOOK_SECRETS": "whsec_new,whsec_old"}
    live = check(**stripe, STRIPE_SECRET_KEY="sk_live_1")
    assert live.returncode == 0, live.stderr
    test = check(**stripe, STRIPE_SECRET_KEY="sk_test_1", STRIPE_ALLOW_TEST_KEY="true")
    assert test.returncode == 0, test.stderr


def test_every_fault_is_told_at_once(embedded: Path) -> None:
    words = refusal(
        secret_key="",
        debug=True,
        allowed_hosts=[],
        databases={"default": {"HOST": str(embedded)}},
        broker_url=f"redis+socket://{embedded}/valkey.sock",
        chaos=True,
    )
    for mend in ("SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "PostgreSQL", "Valkey", "STAGING_CHAOS"):
        assert mend in words


def test_sockets_of_real_servers_are_welcome(tmp_path: Path) -> None:
    refuse_unsafe_production(
        secret_key="k" * 60,
        debug=False,
        allowed_hosts=["shop.example"],
        databases={"default": {"HOST": str(tmp_path)}},
        broker_url=f"redis+socket://{tmp_path}/redis.sock",
        payment_provider="fake",
        allow_fake=True,
        chaos=False,
        stripe=replace(LIVE, secret_key="", webhook_secrets=()),
    )
