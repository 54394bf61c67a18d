"""What a page may load: nothing for an answer of the API, this site's own files for a page."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db(databases="__all__")


def _policy(client: Client, path: str) -> dict[str, set[str]]:
    header = client.get(path)["Content-Security-Policy"]
    words = [directive.split() for directive in header.split(";") if directive.strip()]
    return {name: set(sources) for name, *sources in words}


@pytest.mark.parametrize("path", ["/api/v1/products", "/api/v1/schema", "/healthz", "/nowhere"])
def test_an_answer_may_load_nothing(client: Client, path: str) -> None:
    assert _policy(client, path) == {
        "default-src": {"'none'"},
        "base-uri": {"'none'"},
        "form-action": {"'none'"},
        "frame-ancestors": {"'none'"},
    }


@pytest.mark.parametrize("path", ["/api/v1/docs", "/admin/login/", "/admin/", "/admin/find/"])
def test_a_page_loads_from_this_site_only_and_has_nothing_inline(client: Client, path: str) -> None:
    client.force_login(User.objects.create_superuser("boss", password=None))
    policy = _policy(client, path)
    sources = set().union(*policy.values())
    assert sources <= {"'none'", "'self'", "'unsafe-eval'", "data:"}
    assert [name for name in policy if "data:" in policy[name]] == ["img-src"]
    assert (policy["default-src"], policy["style-src"]) == ({"'none'"}, {"'self'"})
    assert policy["frame-ancestors"] == policy["base-uri"] == {"'none'"}


def test_only_the_admin_may_evaluate_text_as_script(client: Client) -> None:
    assert _policy(client, "/admin/login/")["script-src"] == {"'self'", "'unsafe-eval'"}
    assert _policy(client, "/api/v1/docs")["script-src"] == {"'self'"}


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/login/", "/admin/orders/order/", "/admin/find/"]
)
def test_no_page_of_the_admin_has_an_inline_style_or_script(client: Client, path: str) -> None:
    if path != "/admin/login/":
        client.force_login(User.objects.create_superuser("boss", password=None))
    page = client.get(path).text
    assert "<html" in page
    assert "<style" not in page
    assert ' style="' not in page
    assert "<script>" not in page
