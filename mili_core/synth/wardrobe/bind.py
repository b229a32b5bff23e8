"""Garments modelled over the rest pose, and bound to the body: they take its shape and follow its joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mili_core.synth.people.rig import Field, Rig
from mili_core.synth.poses.skeleton import Joint
from mili_core.synth.wardrobe.look import Float32Array, Int64Array

HANGING = -2.0
"""`Field.HEAD` of cloth that hangs free: its folds run down instead of around."""

_THINNED = 4
"""Every fourth vertex of the body is enough to follow: centimetres apart."""

_NEIGHBOURS = 8
"""Body vertices that a garment's vertex follows: enough to be smooth across joints."""


@dataclass(frozen=True, slots=True, eq=False)
class PosedPerson:
    """One posed body, metres, y up, ground at y = 0.

    Attributes:
        vertices: (V, 3) float32.
        joints: (24, 3) float32.
        transforms: (24, 3, 4) float32, from the rest pose to this one.
        betas: (10,) float32.
    """

    vertices: Float32Array
    joints: Float32Array
    transforms: Float32Array
    betas: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class WornMesh:
    """What is worn over the body or carried, posed; axes and units as in `PosedPerson`.

    Attributes:
        vertices_m: (v, 3) float32.
        faces: (f, 3) int64, counter-clockwise seen from outside.
        fields: (v, Field.COUNT) float32 place over the body in the rest pose.
        region: Region of the whole mesh, or -1 for what is carried and no part of the person's silhouette.
        albedo: (v, 3) float32 linear albedo of what is carried, else None.
    """

    vertices_m: Float32Array
    faces: Int64Array
    fields: Float32Array
    region: int
    albedo: Float32Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A garment over the rest pose of the mean shape, with what it needs to follow a body.

    Attributes:
        vertices: (v, 3) float32 metres.
        faces: (f, 3) int64.
        fields: (v, Field.COUNT) float32.
        shapedirs: (v, 3, 10) float32.
        joints: (j,) int64 the joints that move it.
        weights: (v, j) float32.
    """

    vertices: Float32Array
    faces: Int64Array
    fields: Float32Array
    shapedirs: Float32Array
    joints: Int64Array
    weights: Float32Array

    def posed(self, person: PosedPerson) -> Float32Array:
        """Gives (v, 3) vertices that follow a body."""
        # Not as matrix products of a library, whose last bits may depend on the number of its threads.
        rest = self.vertices + np.einsum("vck,k->vc", self.shapedirs, person.betas)
        maps = np.einsum("vj,jik->vik", self.weights, person.transforms[self.joints])
        posed: Float32Array = (np.einsum("vij,vj->vi", maps[..., :3], rest) + maps[..., 3]).astype(np.float32)
        return posed


def bind(
    rig: Rig, vertices: Float32Array, faces: Int64Array, joint: Joint | None = None, *, hang: bool = False
) -> Template:
    """Gives a template that follows the nearest part of the trunk, neck and head.

    Args:
        rig: body.
        vertices: (v, 3) over the rest pose of the mean shape.
        faces: (f, 3).
        joint: moves with this joint alone, whatever is nearest.
        hang: hair: above the chin it moves with the head, at the shoulders with the upper trunk.
    """
    vertices = np.asarray(vertices, dtype=np.float32)
    pool = np.flatnonzero(rig.fields[:, Field.ARM] < 0)[::_THINNED]
    body = rig.body.v_template[pool].astype(np.float64)
    nearby = vertices @ body.T - 0.5 * (body * body).sum(axis=1)
    count = min(_NEIGHBOURS, len(pool) - 1)
    nearest = np.argpartition(-nearby, count, axis=1)[:, :count]
    distance = np.linalg.norm(vertices[:, None] - body[nearest], axis=2)
    closeness = 1.0 / (distance + 0.01) ** 2
    share = (closeness / closeness.sum(axis=1, keepdims=True)).astype(np.float32)
    ids = pool[nearest]
    weights = np.einsum("vn,vnj->vj", share, rig.body.weights[ids])
    shapedirs = np.einsum("vn,vnck->vck", share, rig.body.shapedirs[ids])
    if joint is not None:
        weights = np.zeros_like(weights)
        weights[:, joint] = 1.0
    if hang:
        weights = _hanging_weights(rig, vertices[:, 1])
    fields = np.zeros((len(vertices), Field.COUNT), dtype=np.float32)
    fields[:, :3] = vertices
    fields[:, Field.ARM], fields[:, Field.HEAD] = -0.5, -1.0
    fields[:, Field.LEG] = leg_scale(rig, vertices[:, 1])
    used = np.flatnonzero(weights.max(axis=0) > 0.0)
    return Template(
        vertices, np.asarray(faces, dtype=np.int64), fields, shapedirs, used, np.ascontiguousarray(weights[:, used])
    )


def leg_scale(rig: Rig, y: Float32Array) -> Float32Array:
    """Gives `Field.LEG` of heights in the rest pose."""
    hip = rig.joints[[Joint.LEFT_HIP, Joint.RIGHT_HIP], 1].mean()
    ankle = rig.joints[[Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE], 1].mean()
    scale: Float32Array = ((hip - y) / (hip - ankle)).astype(np.float32)
    return scale


def _hanging_weights(rig: Rig, y: Float32Array) -> Float32Array:
    weights = np.zeros((len(y), 24), dtype=np.float32)
    head = np.clip((y - rig.neck_y) / max(rig.chin_y - rig.neck_y, 0.01), 0.0, 1.0)
    trunk = np.clip((rig.neck_y + 0.02 - y) / 0.08, 0.0, 1.0)
    weights[:, Joint.HEAD] = head * (1.0 - trunk)
    weights[:, Joint.SPINE3] = trunk
    weights[:, Joint.NECK] = (1.0 - head) * (1.0 - trunk)
    return weights
