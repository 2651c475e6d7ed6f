"""A checker for the part of JSON Schema that edgeq's schemas use; objects with properties hold no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_KINDS: Mapping[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
_KNOWN = {
    "$defs", "$id", "$ref", "$schema", "additionalProperties", "anyOf", "const", "description", "enum", "items",
    "properties", "required", "title", "type",
}  # fmt: skip


def errors(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], place: str = "$") -> Iterator[str]:
    """What of a value the schema does not allow, or does not describe."""
    assert set(schema) <= _KNOWN, f"{place}: this checker does not know {set(schema) - _KNOWN}"
    if "$ref" in schema:
        yield from errors(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, place)
        return
    if "anyOf" in schema:
        if all(list(errors(value, option, root, place)) for option in schema["anyOf"]):
            yield from errors(value, schema["anyOf"][0], root, place)
        return
    if "const" in schema and value != schema["const"]:
        yield f"{place}: {value!r}, not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is none of {schema['enum']}"
    kinds = schema.get("type", [])
    allowed = [kinds] if isinstance(kinds, str) else kinds
    if allowed and not any(_is(value, kind) for kind in allowed):
        yield f"{place}: {value!r} is no {' or '.join(allowed)}"
        return
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from errors(item, schema.get("items", {}), root, f"{place}[{number}]")
    if isinstance(value, dict):
        yield from _members(value, schema, root, place)


def _members(value: Mapping[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], place: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{place}: {name} is missing"
    for name, item in value.items():
        if name in properties:
            yield from errors(item, properties[name], root, f"{place}.{name}")
        elif "additionalProperties" in schema:
            yield from errors(item, schema["additionalProperties"], root, f"{place}.{name}")
        elif properties:
            yield f"{place}: {name} is not described"


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _KINDS[kind])
