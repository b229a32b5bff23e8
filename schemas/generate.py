"""JSON Schemas for readers of other languages, generated from the Arrow schemas and the pydantic models.

`python -m schemas` (make schemas) writes them beside this file; a test fails when they are not up to date.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from schemas.blocks import BLOCKS_SCHEMA
from schemas.manifest import RunManifest
from schemas.people import PEOPLE_SCHEMA, SCHEMA_MINOR, SCHEMA_VERSION, FileMetadata
from schemas.truth import TRUTH_SCHEMA, TruthMetadata

FOLDER = Path(__file__).parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def documents() -> dict[str, str]:
    """Gives the text of every JSON Schema by file name."""
    version = f"{SCHEMA_VERSION}.{SCHEMA_MINOR}"
    return {
        "people.schema.json": _text(row_schema(PEOPLE_SCHEMA, f"One person of the people table, version {version}")),
        "people_metadata.schema.json": _text(model_schema(FileMetadata)),
        "truth.schema.json": _text(row_schema(TRUTH_SCHEMA, f"One person of a synthetic scene, version {version}")),
        "truth_metadata.schema.json": _text(model_schema(TruthMetadata)),
        "blocks.schema.json": _text(row_schema(BLOCKS_SCHEMA, f"One block of the ledger, version {version}")),
        "manifest.schema.json": _text(model_schema(RunManifest)),
    }


def write(folder: Path = FOLDER) -> list[Path]:
    """Writes every JSON Schema into `folder` and gives their paths."""
    paths = []
    for name, text in documents().items():
        paths.append(folder / name)
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def model_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Gives the JSON Schema of what `model` writes."""
    return {"$schema": DIALECT, **model.model_json_schema(mode="serialization")}


def row_schema(schema: pa.Schema, title: str) -> dict[str, Any]:
    """Gives the JSON Schema of one row of a table whose fields were made by `schemas.people.column`."""
    return {
        "$schema": DIALECT,
        "title": title,
        "type": "object",
        "properties": {field.name: _field_schema(field) for field in schema},
        "required": schema.names,
        "additionalProperties": False,
    }


def _field_schema(field: pa.Field) -> dict[str, Any]:
    """Gives the JSON Schema of a column: type, meaning, range, and its unit and Arrow type as x- keys."""
    notes = {key.decode(): text.decode() for key, text in (field.metadata or {}).items()}
    value = _type_schema(field.type)
    value |= {key: json.loads(notes[key]) for key in ("minimum", "maximum") if key in notes}
    if field.nullable:
        value["type"] = [value["type"], "null"]
    described = {"description": notes["meaning"], **value, "x-arrow-type": str(field.type)}
    return described | ({"x-unit": notes["unit"]} if notes["unit"] else {})


def _type_schema(arrow_type: pa.DataType) -> dict[str, Any]:
    """Gives the JSON Schema of a value of an Arrow type, as JSON would carry it."""
    if pa.types.is_struct(arrow_type):
        names = [child.name for child in arrow_type]
        children = {child.name: _type_schema(child.type) for child in arrow_type}
        return {"type": "object", "properties": children, "required": names, "additionalProperties": False}
    if pa.types.is_fixed_size_list(arrow_type):
        length = arrow_type.list_size
        items = _type_schema(arrow_type.value_type)
        return {"type": "array", "items": items, "minItems": length, "maxItems": length}
    if pa.types.is_list(arrow_type):
        return {"type": "array", "items": _type_schema(arrow_type.value_type)}
    if pa.types.is_binary(arrow_type):
        return {"type": "string", "contentEncoding": "base64"}
    for matches, name in (
        (pa.types.is_string, "string"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_integer, "integer"),
        (pa.types.is_floating, "number"),
    ):
        if matches(arrow_type):
            return {"type": name}
    raise NotImplementedError(f"no JSON Schema for Arrow type {arrow_type}; add it to schemas/generate.py")


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
