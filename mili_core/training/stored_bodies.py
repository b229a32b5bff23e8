"""The SMPL head trained alone on stored RoIs, of true boxes and of proposals: the terms that need no image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict

import torch
from torch import nn

from mili_core.errors import ConfigError
from mili_core.losses.settings import LossSettings
from mili_core.losses.total import LossTerms
from mili_core.nets.mili import Mili
from mili_core.training.bodies import BodySupervision, head_terms
from mili_core.training.roi_store import StoredRois


class StoredBodies:
    """The terms of the SMPL head.

    Args:
        losses: weights and settings of the terms.
        bodies: supervision.
        stored: the origin of the stored RoIs, and of how many samples they are.
        origin: what else the run depends on, by name. A checkpoint of others is not continued.

    Raises:
        ConfigError: a term is asked for that needs the images' masks.
    """

    def __init__(self, losses: LossSettings, bodies: BodySupervision, stored: str, origin: Mapping[str, str]) -> None:
        if losses.weights.interpenetration > 0.0 or losses.weights.depth_order > 0.0:
            raise ConfigError("stored RoIs have no masks and no neighbours; leave out --tune or --stored")
        self.weights = losses.weights
        self.memory: nn.Module = nn.Module()
        self._losses, self._bodies, self._stored, self._origin = losses, bodies, stored, origin

    def to(self, device: torch.device) -> StoredBodies:
        """Moves what the objective holds to a device; returns itself."""
        self._bodies = self._bodies.to(device)
        return self

    def identity(self) -> Mapping[str, str]:
        """Returns what must not change while a run is continued, as text."""
        losses = json.dumps(asdict(self._losses), sort_keys=True)
        return {
            **self._origin,
            "stage's plan": hashlib.sha256(losses.encode()).hexdigest(),
            "stored RoIs": hashlib.sha256(self._stored.encode()).hexdigest(),
        }

    def terms(self, model: Mili, batch: StoredRois) -> LossTerms:
        """Gives the terms of one draw, not weighted."""
        rois = batch.rois.float()
        return head_terms(model, rois, batch.examples, self._bodies, batch.canvas, self._losses)[0]
