"""A made-up body of 60 vertices in SMPL's layout, with everything that a real one has."""

from __future__ import annotations

import numpy as np
import torch

from mili_core.body.model import PARENTS, BodyModel


def tiny_body(*, posedirs: bool = True, vertex_ids: bool = True, seed: int = 0) -> BodyModel:
    """Gives the same body for the same arguments; its surface is meaningless."""
    rng = np.random.default_rng(seed)
    count = 60
    weights = rng.random((count, 24)) ** 4
    regressor = rng.random((24, count)) ** 3
    pose_offsets = (0.02 * rng.normal(size=(count, 3, 207))).astype(np.float32)
    landmarks = rng.permutation(count)[:21].astype(np.int64)
    return BodyModel(
        name="tiny",
        v_template=rng.normal(size=(count, 3)).astype(np.float32),
        shapedirs=(0.05 * rng.normal(size=(count, 3, 10))).astype(np.float32),
        posedirs=pose_offsets if posedirs else None,
        j_regressor=(regressor / regressor.sum(axis=1, keepdims=True)).astype(np.float32),
        weights=(weights / weights.sum(axis=1, keepdims=True)).astype(np.float32),
        parents=np.array(PARENTS, dtype=np.int64),
        faces=rng.permuted(np.tile(np.arange(count), (40, 1)), axis=1)[:, :3].astype(np.int64),
        vertex_ids=landmarks if vertex_ids else None,
    )


def random_betas_and_rotations(count: int, seed: int = 0, spread: float = 0.6) -> tuple[torch.Tensor, torch.Tensor]:
    """Gives betas (N, 10) and rotations (N, 24, 3, 3), float32, from torch's matrix exponential."""
    generator = torch.Generator().manual_seed(seed)
    x, y, z = (spread * torch.randn(count, 24, 3, generator=generator, dtype=torch.float64)).unbind(-1)
    zero = torch.zeros_like(x)
    generators = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).reshape(count, 24, 3, 3)
    betas = torch.randn(count, 10, generator=generator)
    return betas, torch.linalg.matrix_exp(generators).float()
