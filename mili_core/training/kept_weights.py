"""The weights that a run writes: averaged ones at each checkpoint, and what they recommend."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mili_core.body import BodyModel
from mili_core.config import ModelConfig
from mili_core.errors import ConfigError, WeightsError
from mili_core.nets.mili import Mili
from mili_core.training.checkpoint import CHECKPOINT
from mili_core.weights import read_weights, save_weights

WEIGHTS = "weights.safetensors"  # in a run's folder, beside its checkpoint
WRITTEN = re.compile(r"weights(-[0-9]+)?[.]safetensors")
SCORE_THRESHOLD = 0.6  # recommended where nobody says another


@dataclass(frozen=True, slots=True, eq=False)
class KeptWeights:
    """Writes a run's weights.

    Attributes:
        folder: of the run.
        config: the model.
        body: that it regresses; None for none.
        score_threshold: recommended.
        notes: what the file says about its training besides step and seconds.
        each: those of every checkpoint stay, as weights-STEP.safetensors.
    """

    folder: Path
    config: ModelConfig
    body: BodyModel | None
    score_threshold: float
    notes: Mapping[str, object]
    each: bool

    def __call__(self, averaged: dict[str, Tensor], step: int, seconds: float) -> None:
        """Writes averaged weights of a step, the file of the step first."""
        trained = Mili(self.config)
        trained.load_state_dict(averaged)
        for name in (*([step_name(step)] if self.each else []), WEIGHTS):
            save_weights(
                self.folder / name,
                trained,
                self.config,
                body_name="none" if self.body is None else self.body.name,
                body_sha256="" if self.body is None else self.body.sha256,
                score_threshold=self.score_threshold,
                notes={**self.notes, "step": step, "seconds": round(seconds, 1)},
            )


def step_name(step: int) -> str:
    """Gives the name of the file that keeps the weights of a step."""
    return f"weights-{step:06}.safetensors"


def recommended_score(asked: float | None, folder: Path, starts: Sequence[Path]) -> float:
    """Gives the score that a run's weights shall recommend.

    Args:
        asked: goes before anything else.
        folder: of the run; where it is continued, its weights recommend what they did.
        starts: weights that the run starts from; the first of a whole model says.
    """
    if asked is not None:
        return asked
    own = folder / WEIGHTS
    continued = [own] if own.is_file() and (folder / CHECKPOINT).is_file() else []
    for path in (*continued, *starts):
        try:
            weights = read_weights(path)
        except WeightsError:
            if path == own:  # the run is about to write it anew
                continue
            raise
        if weights.holds == "model":
            return weights.score_threshold
    return SCORE_THRESHOLD


def refuse_own_weights(folder: Path, starts: Sequence[Path]) -> None:
    """Refuses a run that would write over the weights that it starts from.

    Raises:
        ConfigError: they have the name of a file that it writes.
    """
    for path in starts:
        if path.resolve().parent == folder.resolve() and WRITTEN.fullmatch(path.name):
            raise ConfigError(f"{path} lies where the run writes its own weights; give another --output")
