"""The OpenAPI document."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.openapi.models import OpenAPI

from app.main import create_app
from app.settings import Settings

OPEN = {"/livez", "/readyz"}
FOR_OPERATORS = {"/metrics", "/migrations", "/migrations.json"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(Settings()).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def test_it_is_openapi(document: dict[str, Any]) -> None:
    """Its form is what the specification says, and every reference leads somewhere."""
    OpenAPI.model_validate(document)
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)))
    assert references
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in schemas
    used = {reference.rpartition("/")[2] for reference in references}
    assert set(schemas) == used


def test_schemas_of_the_library_do_not_replace_those_of_the_service(
    document: dict[str, Any],
) -> None:
    """Their names carry its own."""
    schemas = document["components"]["schemas"]
    assert set(schemas["Progress"]["properties"]) == {"done", "total"}
    assert {"surefoot.Overview", "surefoot.Readiness", "surefoot.Unread"} <= set(schemas)
    assert not {"Overview", "Readiness", "Unread"} & set(schemas)


def test_it_lists_what_the_service_does(document: dict[str, Any]) -> None:
    """No more and no less."""
    assert sorted((path, method) for path, method, _ in operations(document)) == [
        ("/api/v1/files", "get"),
        ("/api/v1/jobs", "get"),
        ("/api/v1/jobs", "post"),
        ("/api/v1/jobs/{job_id}", "get"),
        ("/api/v1/jobs/{job_id}/cancel", "post"),
        ("/api/v1/volumes", "get"),
        ("/livez", "get"),
        ("/metrics", "get"),
        ("/migrations", "get"),
        ("/migrations.json", "get"),
        ("/readyz", "get"),
    ]


def test_everything_is_described(document: dict[str, Any]) -> None:
    """Operations, parameters and answers; a tag and a name of its own for each operation."""
    tags = {tag["name"] for tag in document["tags"]}
    names = []
    for _, _, operation in operations(document):
        names.append(operation["operationId"])
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= tags
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], parameter
        for response in operation["responses"].values():
            assert response["description"]
    assert len(set(names)) == len(names)


def test_readiness_needs_no_key_and_takes_one(document: dict[str, Any]) -> None:
    """Its 503 is no problem but the answer."""
    readiness = document["paths"]["/readyz"]["get"]
    assert readiness["security"] == [{}, {"bearer": []}]
    assert set(readiness["responses"]) == {"200", "503"}
    assert set(readiness["responses"]["503"]["content"]) == {"application/json"}


def test_every_error_is_a_problem(document: dict[str, Any]) -> None:
    """And each operation that wants a key says so, and what happens without."""
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for path, _, operation in operations(document):
        if path in OPEN:
            continue
        if path in FOR_OPERATORS:
            assert operation["security"] == [{"bearer": []}, {"basic": []}]
            assert "403" in operation["responses"]
        else:
            assert operation["security"] == [{"bearer": []}]
        assert {"401", "500", "503"} <= set(operation["responses"])
        for status, response in operation["responses"].items():
            if status >= "400":
                assert response["content"] == {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                }
    assert set(document["components"]["schemas"]["Problem"]["properties"]) == {
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "help",
    }
