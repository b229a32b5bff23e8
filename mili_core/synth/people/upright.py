"""Posed bodies that stand on their own ground, before anybody says where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.people.rig import Rig

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Upright:
    """P posed bodies in upright axes: y up, the ground at y = 0, the pelvis above the origin, metres.

    Attributes:
        vertices_m: (P, V, 3) float32.
        joints_m: (P, 24, 3) float32.
        transforms: (P, 24, 3, 4) float32 from the rest pose to these axes.
        betas: (P, 10) float32.
        rest_pelvis_m: (P, 3) float32 pelvis of each body before it is posed.
        standing_m: (P,) float32 height of each body in its rest pose.
    """

    vertices_m: Float32Array
    joints_m: Float32Array
    transforms: Float32Array
    betas: Float32Array
    rest_pelvis_m: Float32Array
    standing_m: Float32Array


def stand_up(rig: Rig, betas: Float32Array, rotmats: Float32Array, lift_m: NDArray[np.floating]) -> Upright:
    """Gives bodies with their lowest vertex `lift_m` (P,) above the ground.

    Args:
        rig: body.
        betas: (P, 10).
        rotmats: (P, 24, 3, 3), root in the body's own y-up axes.
        lift_m: (P,).
    """
    posed = rig.pose(betas, rotmats)
    pelvis = posed.joints[:, 0]
    shift = -pelvis.copy()
    shift[:, 1] = lift_m - posed.vertices[..., 1].min(axis=1, initial=np.inf)
    transforms = posed.transforms.copy()
    transforms[..., 3] += shift[:, None]
    rest_y = rig.body.v_template[:, 1:2] + rig.body.shapedirs[:, 1] @ betas.T
    return Upright(
        vertices_m=posed.vertices + shift[:, None],
        joints_m=posed.joints + shift[:, None],
        transforms=transforms,
        betas=betas,
        # The root turns about it, so the posed pelvis is the rest one.
        rest_pelvis_m=pelvis,
        standing_m=np.ptp(rest_y, axis=0).astype(np.float32),
    )
