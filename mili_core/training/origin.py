"""What a run comes from, as text: a checkpoint, or stored RoIs, of anything else are not continued."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mili_core.config import ModelConfig
from mili_core.training.checkpoint import TrainSettings
from mili_core.training.sources import FOLDERS, TrainingData
from mili_core.weights import read_weights

if TYPE_CHECKING:
    from mili_core.training.stages import Recipe


def run_origin(recipe: Recipe, data: TrainingData, config: ModelConfig, body_sha256: str) -> dict[str, str]:
    """Gives what a run depends on besides its settings, its plan and its teacher, by name.

    Args:
        recipe: names the stage and the weights it starts from.
        data: what it is trained on.
        config: of the model.
        body_sha256: of the body.
    """
    return {
        "stage": f"{recipe.stage} of branch {recipe.trained_branch}",
        "model": config.to_json(),
        "body": body_sha256,
        "initial weights": "" if recipe.initial is None else read_weights(recipe.initial).sha256,
        "data": data_origin(data),
    }


def rois_origin(
    recipe: Recipe, data: TrainingData, settings: TrainSettings, config: ModelConfig, body_sha256: str
) -> str:
    """Gives what stored RoIs depend on: the trunk, the samples and the precision, not how the head trains.

    Args:
        recipe: names the weights that the trunk comes from, and the branch.
        data: where the samples come from.
        settings: seed and precision count.
        config: of the model.
        body_sha256: of the body.
    """
    return json.dumps([run_origin(recipe, data, config, body_sha256), settings.seed, settings.amp])


def data_origin(data: TrainingData) -> str:
    """Gives the settings of the data, and for its folders what files of which sizes they hold, wherever they lie."""
    folders = [_contents(getattr(data, name)) for name in FOLDERS]
    how = repr(replace(data, photos=Path(), squeezed=None, sport=None, shards=None))
    return hashlib.sha256(json.dumps([folders, how]).encode()).hexdigest()


def _contents(folder: Path | None) -> str:
    if folder is None:
        return ""
    files = sorted((str(path.relative_to(folder)), path.stat().st_size) for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()
