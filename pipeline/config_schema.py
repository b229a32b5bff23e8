"""Writes the JSON Schema of the settings beside the other schemas: python -m pipeline.config_schema."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import schemas
from pipeline.config import SceneConfig

PATH = Path(schemas.__file__).parent / "scene_config.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def text() -> str:
    """Gives the JSON Schema of a --config file."""
    return json.dumps({"$schema": DIALECT, **SceneConfig.model_json_schema()}, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{PATH}\n")
