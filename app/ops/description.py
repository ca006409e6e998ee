"""The OpenAPI description of the library's routes, which FastAPI does not see."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from app.ops.access import basic
from surefoot.web import Overview, Readiness

# A class of the library may have the name of one of the service.
_PREFIX = "surefoot."
_BEFORE = {
    "name": "before",
    "in": "query",
    "description": "Show only the ledger's rows before this one.",
    "schema": {"type": "integer", "minimum": 1},
}
_STATE_ALONE = {
    "type": "object",
    "properties": {"status": {"enum": ["ready", "not-ready"]}, "code": {"type": "string"}},
    "required": ["status", "code"],
}


def describe_routes(document: dict[str, Any]) -> None:
    """Add the routes, their schemas and the way that they take a key to the document."""
    components = document["components"]
    components["securitySchemes"][basic.scheme_name] = basic.model.model_dump(
        mode="json", by_alias=True, exclude_none=True
    )
    schemas, definitions = TypeAdapter.json_schemas(
        [(cls, "serialization", TypeAdapter(cls)) for cls in (Overview, Readiness)],
        ref_template=f"#/components/schemas/{_PREFIX}{{model}}",
    )
    for name, schema in definitions["$defs"].items():
        components["schemas"][_PREFIX + name] = schema
    of_overview, of_readiness = schemas.values()
    document["paths"] |= {
        "/migrations": _for_operators(
            "migrations_page",
            "Migrations, as a page",
            "The state of the database and its migrations on one page.",
            {"text/html": {"schema": {"type": "string"}}},
            parameters=[_BEFORE],
        ),
        "/migrations.json": _for_operators(
            "migrations",
            "Migrations, as JSON",
            "The content of the page. A part that could not be read is an object with the reason "
            "as `unread`.",
            {"application/json": {"schema": of_overview}},
            parameters=[_BEFORE],
        ),
        "/metrics": _for_operators(
            "metrics",
            "Metrics for Prometheus",
            "The state of the schema in Prometheus's text format. The database is not asked.",
            {"text/plain": {"schema": {"type": "string"}}},
        ),
        "/readyz": _readiness({"anyOf": [of_readiness, _STATE_ALONE]}),
    }


def _for_operators(
    name: str, summary: str, description: str, content: dict[str, Any], **more: Any
) -> dict[str, Any]:
    responses = {
        "200": {"description": "The answer.", "content": content},
        "403": {"description": "The key does not have the scope `ops` (`scope-missing`)."},
    }
    if "parameters" in more:
        responses["422"] = {}  # Described with the errors that any request can meet.
    return {
        "get": {
            "operationId": name,
            "tags": ["operations"],
            "summary": summary,
            "description": description,
            "security": [{"bearer": []}, {"basic": []}],
            "responses": responses,
            **more,
        }
    }


def _readiness(schema: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {
        "get": {
            "operationId": "ready",
            "tags": ["health"],
            "summary": "Readiness",
            "description": "Whether this build can serve on the database's schema. `code` is "
            "`at-head`, `ahead` or the reason why it cannot, and `fix` is the help for it. `drift` "
            "says whether the schema differs from revisions.lock (null: not known); it does not "
            "make the service unready. Outside of development, a request without a key gets "
            "`status` and `code` alone.",
            "security": [{}, {"bearer": []}],
            "responses": {
                "200": {"description": "The service can serve.", "content": content},
                "503": {"description": "The service cannot serve.", "content": content},
            },
        }
    }
