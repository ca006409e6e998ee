"""describe() makes the OpenAPI document: what FastAPI reads from the endpoints, and the errors.

An endpoint names the errors that are its own. Those that any request can meet are added here, and
all of them get the same body: a Problem.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.problems import MEDIA_TYPE, Problem

TAGS = [
    {"name": "catalogue", "description": "Files and the volumes that they are in."},
    {"name": "jobs", "description": "Scans and summaries: work that goes on in the background."},
    {"name": "operations", "description": "What operators see of the service and its database."},
    {"name": "health", "description": "Whether the service runs, and whether it can serve."},
]
_ANY_REQUEST = {
    "401": "The request has no key (`key-missing`), or one that is not in force (`key-unknown`).",
    "422": "The request is not as it is described here (`request-invalid` and others).",
    "500": "The service failed (`internal-error`).",
    "503": "The database does not answer (`database-unreachable`), has too much to do "
    "(`database-busy`) or has a schema that this build does not serve on (`not-ready`); try again.",
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
                # A key is welcome and not needed; and what it says is no problem but the answer.
                operation["security"] = [{}, *operation["security"]]
                continue
            if "security" in operation:
                for status, description in _ANY_REQUEST.items():
                    if status == "422" and status not in responses:
                        continue  # It has nothing that could be invalid.
                    responses[status] = {"description": description}
            for status, response in responses.items():
                if status >= "400":
                    response["content"] = _PROBLEM
