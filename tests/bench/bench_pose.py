"""Measures bodies on rendered people of held-out seeds: MPJPE and PA-MPJPE of 24 joints, pelvis-aligned, true boxes.

python tests/bench/bench_pose.py [--weights FILE] [--images N] [--seed N]

Synthetic: the same renderer as in training, other seeds.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mili_core.body import SkinnedBody, load_body
from mili_core.nets import smpl_head
from mili_core.nets.mili import Mili
from mili_core.synth.samples import RenderSource
from mili_core.training.batch import Batch, collate, normalise
from mili_core.weights import load_into, read_weights

AT_ONCE = 8


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--seed", type=int, default=12345)
    options = parser.parse_args()
    body = load_body()
    weights = read_weights(options.weights)
    model = Mili(weights.config).eval()
    load_into(model, weights)
    rng = np.random.default_rng(options.seed)
    source = RenderSource(body, 416, 256)
    samples = [source.draw(rng) for _ in range(options.images)]
    batches = [collate(samples[first : first + AT_ONCE]) for first in range(0, len(samples), AT_ONCE)]
    pairs = [predict(model, SkinnedBody(body), batch) for batch in batches]
    found, truth = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    print(f"{len(truth)} rendered people: MPJPE {mpjpe(found, truth):.1f} mm, PA-MPJPE {pa_mpjpe(found, truth):.1f} mm")
    return 0


@torch.inference_mode()
def predict(model: Mili, skinned: SkinnedBody, batch: Batch) -> tuple[Tensor, Tensor]:
    """Returns found and true joints (N, 24, 3), pelvis at the origin, metres."""
    levels = model.features(normalise(batch, model.config.pixel_mean, model.config.pixel_std))
    boxes = torch.cat([target.boxes for target in batch.targets])
    index = torch.cat([torch.full((len(target.boxes),), i) for i, target in enumerate(batch.targets)])
    state = model.smpl_head(model.rois(levels, boxes, index, smpl_head.SIDE))
    joints = skinned.joints(state.betas, state.rotmats)
    truth = torch.cat([target.joints3d_m for target in batch.targets if target.joints3d_m is not None])
    return joints - joints[:, :1], truth - truth[:, :1]


def mpjpe(found: Tensor, truth: Tensor) -> float:
    """Returns the mean distance of joints, mm."""
    return float((found - truth).norm(dim=2).mean()) * 1000


def pa_mpjpe(found: Tensor, truth: Tensor) -> float:
    """Returns the mean distance, mm, after the best similarity transform of each person (Procrustes)."""
    a, b = found - found.mean(dim=1, keepdim=True), truth - truth.mean(dim=1, keepdim=True)
    u, strength, v = torch.linalg.svd(a.transpose(1, 2) @ b)
    signs = torch.ones_like(strength)
    signs[:, 2] = torch.sign(torch.linalg.det(u @ v))
    rotation = u @ torch.diag_embed(signs) @ v
    scale = (signs * strength).sum(dim=1) / a.square().sum(dim=(1, 2))
    return mpjpe(scale[:, None, None] * (a @ rotation), b)


if __name__ == "__main__":
    sys.exit(main())
