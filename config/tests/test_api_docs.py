"""The API documents itself, errors included, and loads nothing from elsewhere."""

import re

from django.test import Client


def test_the_root_leads_to_the_documentation(client: Client) -> None:
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer["Location"] == "/api/v1/docs"


def test_the_documentation_loads_from_this_site_only(client: Client) -> None:
    page = client.get("/api/v1/docs").text
    assert "swagger-ui" in page
    assert re.findall(r"""(?:src|href)=["'](?:https?:)?//[^"']*""", page) == []


def test_every_operation_says_what_its_errors_look_like(client: Client) -> None:
    schema = client.get("/api/v1/schema", headers={"Accept": "application/json"}).json()

    assert schema["openapi"].startswith("3.1")
    operations = [
        operation
        for methods in schema["paths"].values()
        for name, operation in methods.items()
        if name != "parameters"
    ]
    assert operations
    for operation in operations:
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
    content = schema["components"]["responses"]["Problem"]["content"]
    assert list(content) == ["application/problem+json"]
    assert {"Problem", "Fault"} <= set(schema["components"]["schemas"])
