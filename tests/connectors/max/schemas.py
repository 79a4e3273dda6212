"""MAX's published description, with its supplement for comments, as JSON Schema."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from tests.conftest import shared

# Where the description contradicts itself: a body is told to have a link, which stands beside it; the words tell three kinds of chat.
MISTAKES: dict[str, dict[str, Any]] = {
    "MessageBody": {"required": ["mid", "seq", "text", "attachments"]},
    "ChatType": {"enum": ["dialog", "chat", "channel"]},
}


@cache
def _document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shared("platform-specs/max-bot-api-openapi-2026-07-01.json").read_text(encoding="utf-8"))
    schemas: dict[str, Any] = found["components"]["schemas"]
    for name, corrected in MISTAKES.items():
        schemas[name] |= corrected
    more = yaml.safe_load(shared("platform-specs/max-comments-supplement.yaml").read_text(encoding="utf-8"))
    schemas |= more["components"]["schemas"]
    return {"components": {"schemas": {name: _converted(schema) for name, schema in schemas.items()}}}


def _converted(node: Any) -> Any:
    """OpenAPI 3.0 in a draft of today: `nullable` becomes a type, `required` on a field nothing."""
    if isinstance(node, list):
        return [_converted(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _converted(value) for key, value in node.items() if key not in {"nullable", "discriminator"}}
    if not isinstance(kept.get("required", []), list):
        del kept["required"]
    return {"anyOf": [kept, {"type": "null"}]} if node.get("nullable") else kept


def validator(name: str) -> Draft202012Validator:
    """The validator of one of MAX's objects."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", **_document()})


def listed(name: str) -> Draft202012Validator:
    """The validator of `{"messages": [...]}`."""
    items = {"$ref": f"#/components/schemas/{name}"}
    wanted = {"type": "object", "required": ["messages"], "properties": {"messages": {"type": "array", "items": items}}}
    return Draft202012Validator({**wanted, "additionalProperties": False, **_document()})
