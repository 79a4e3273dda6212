"""The platforms' published descriptions as JSON Schema that refuses unknown fields."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

SPECS = Path(__file__).resolve().parents[4] / "shared" / "platform-specs"

# The response-level field that VK sends with start_comment_id and its schema leaves out.
VK_UNDESCRIBED = {"wall_getComments_response": {"real_offset": {"type": "integer"}}}
VK_UNDESCRIBED["wall_getComments_extended_response"] = VK_UNDESCRIBED["wall_getComments_response"]


def needs(name: str) -> Path:
    """A description, or a skip that says so."""
    path = SPECS / name
    if not path.exists():
        pytest.skip(f"needs ../shared: platform-specs/{name}")
    return path


class VkSchemas:
    """VK's schema in a draft of today: `required` becomes a list, `allOf` one object, unknown fields are refused."""

    def __init__(self, root: Path) -> None:
        """Read from a folder of VK's schema."""
        self._root = root
        self._definitions: dict[str, Any] = {}

    def validator(self, file: str, name: str) -> Draft202012Validator:
        """The validator of one definition."""
        reference = self._reference(file, name)
        return Draft202012Validator({**reference, "$defs": self._definitions})

    def _reference(self, file: str, name: str) -> dict[str, str]:
        key = f"{file.replace('/', '.')}.{name}"
        if key not in self._definitions:
            self._definitions[key] = {}
            self._definitions[key] |= self._convert(file, _load(self._root / file)["definitions"][name])
            extra = VK_UNDESCRIBED.get(name)
            if extra:
                self._definitions[key]["properties"]["response"]["properties"] |= extra
        return {"$ref": f"#/$defs/{key}"}

    def _resolve(self, file: str, reference: str) -> tuple[str, str]:
        place, _, name = reference.partition("#/definitions/")
        target = (self._root / file).parent / place if place else self._root / file
        return str(target.resolve().relative_to(self._root.resolve())), name

    def _convert(self, file: str, node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in node and "properties" not in node:
            return dict(self._reference(*self._resolve(file, node["$ref"])))
        if "properties" in node or "allOf" in node:
            properties, required = self._merged(file, node)
            return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        kept: dict[str, Any] = {key: node[key] for key in ("type", "enum", "minimum", "maximum") if key in node}
        if isinstance(node.get("items"), dict):
            kept["items"] = self._convert(file, node["items"])
        if "oneOf" in node:
            kept["anyOf"] = [self._convert(file, item) for item in node["oneOf"]]
        return kept

    def _merged(self, file: str, node: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        properties: dict[str, Any] = {}
        required: list[str] = []
        for part in node.get("allOf", ()):
            place, found = file, part
            if "$ref" in part:
                place, name = self._resolve(file, part["$ref"])
                found = _load(self._root / place)["definitions"][name]
            inner, inner_required = self._merged(place, found)
            properties |= inner
            required += inner_required
        for name, item in node.get("properties", {}).items():
            properties[name] = self._convert(file, item)
            if item.get("required") is True:
                required.append(name)
        return properties, required


def telegram_validator(kind: str) -> Draft202012Validator:
    """The validator of one of the Bot API's types, `Array of X` included."""
    described = _load(needs("telegram-bot-api.json"))
    definitions = {name: _telegram_type(item) for name, item in described["types"].items()}
    return Draft202012Validator({**_telegram_field([kind]), "$defs": definitions})


def telegram_result(method: str) -> Draft202012Validator:
    """The validator of a method's result."""
    described = _load(needs("telegram-bot-api.json"))
    definitions = {name: _telegram_type(item) for name, item in described["types"].items()}
    return Draft202012Validator({**_telegram_field(described["methods"][method]["returns"]), "$defs": definitions})


def _telegram_type(item: dict[str, Any]) -> dict[str, Any]:
    if item.get("subtypes"):
        return {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in item["subtypes"]]}
    fields = item.get("fields", [])
    return {
        "type": "object",
        "properties": {field["name"]: _telegram_field(field["types"]) for field in fields},
        "required": [field["name"] for field in fields if field["required"]],
        "additionalProperties": False,
    }


def _telegram_field(kinds: list[str]) -> dict[str, Any]:
    simple = {"Integer": "integer", "String": "string", "Boolean": "boolean", "Float": "number", "True": "boolean"}

    def one(kind: str) -> dict[str, Any]:
        if kind.startswith("Array of "):
            return {"type": "array", "items": one(kind.removeprefix("Array of "))}
        return {"type": simple[kind]} if kind in simple else {"$ref": f"#/$defs/{kind}"}

    return {"anyOf": [one(kind) for kind in kinds]}


@cache
def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
