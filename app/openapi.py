"""describe() makes the OpenAPI document: FastAPI's own, the library's routes, and the errors.

An endpoint declares the errors that are specific to it. The errors that any request can meet are
added here, and all of them have the same body: a Problem.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.ops.description import describe_routes
from app.problems import MEDIA_TYPE, Problem

TAGS = [
    {"name": "catalogue", "description": "Files and the volumes that they are in."},
    {"name": "jobs", "description": "Scans and summaries, done in the background."},
    {
        "name": "operations",
        "description": "The state of the database, for operators.",
    },
    {"name": "health", "description": "Whether the service runs, and whether it can serve."},
]
_ANY_REQUEST = {
    "401": "The request has no key (`key-missing`) or an invalid one (`key-unknown`).",
    "422": "The request does not match its description (`request-invalid` and others).",
    "500": "The service failed (`internal-error`).",
    "503": "The database does not answer (`database-unreachable`), is too busy (`database-busy`) "
    "or has a schema that this build cannot serve on (`not-ready`, `schema-drifted`). Try again "
    "later.",
}
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_METHODS = ("get", "post", "put", "patch", "delete")


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the application, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=TAGS,
        )
        describe_routes(document)
        _describe_errors(document)
        app.openapi_schema = document
    return app.openapi_schema


def _describe_errors(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = Problem.model_json_schema()
    for path, item in document["paths"].items():
        for operation in (item[method] for method in _METHODS if method in item):
            responses = operation["responses"]
            if path == "/readyz":
                continue  # Its 503 is an answer, and no problem.
            if "security" in operation:
                if "requestBody" in operation:
                    responses["400"] = {"description": "The body is no JSON (`bad-request`)."}
                    responses["413"] = {"description": "Too large a body (`content-too-large`)."}
                for status, description in _ANY_REQUEST.items():
                    if status == "422" and status not in responses:
                        continue  # Nothing of it could be invalid.
                    responses[status] = {"description": description}
            for status, response in responses.items():
                if status >= "400":
                    response["content"] = _PROBLEM
