"""Weights with another recommended score, which may be chosen after training, on validation photos."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import load_file

from mili_core.errors import ConfigError, WeightsError
from mili_core.weights import read_weights, save_tensors


def rescore(source: Path, output: Path, score_threshold: float) -> float:
    """Writes weights that recommend another score, their tensors as they are, and gives the score of before.

    Args:
        source: weights of this project.
        output: file to write, whole or not at all.
        score_threshold: least detection score to recommend, 0..1.

    Raises:
        ConfigError: the score is not in 0..1.
        MissingFileError, WeightsError: the source is not there or no weights file of a whole model, or the output
            cannot be written.
    """
    if not 0.0 <= score_threshold <= 1.0:
        raise ConfigError(f"--score-threshold {score_threshold:g} is not in 0..1")
    weights = read_weights(source)
    if weights.holds != "model":
        raise WeightsError(f"weights {source} hold a {weights.holds} only, which finds nobody: there is no score")
    save_tensors(
        output,
        load_file(source),
        weights.config,
        body_name=weights.body_name,
        body_sha256=weights.body_sha256,
        score_threshold=score_threshold,
        notes=json.loads(weights.notes),
    )
    return weights.score_threshold
