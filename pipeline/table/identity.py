"""What all rows of a run are marked with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What made the rows; part of every file's metadata, so it holds nothing that changes from run to run.

    Attributes:
        run_id: hash of config, weights and input.
        model_name: model configuration.
        weights_sha256: hex digest, "" for a model without a file.
        body_name: "open" or "smpl".
        body_sha256: hex digest of the body arrays.
        package_version: of mili.
        config: settings that shape the result (no paths of outputs, no worker counts).
        betas_source: "model", or "fit" to another body.
    """

    run_id: str
    model_name: str
    weights_sha256: str
    body_name: str
    body_sha256: str
    package_version: str
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    betas_source: str = "model"
