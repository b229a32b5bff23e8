"""Sculpted people of many shapes, drawn from anny's calibrated shape distribution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from mili_core.body.build.bones import joint_heads, knuckle_ids, merge_weights
from mili_core.body.model import Float32Array, Int64Array
from mili_core.errors import DependencyError

ADULT_YEARS = (18.0, 75.0)
CHILD_YEARS = (3.0, 18.0)
_BATCH = 20


@dataclass(frozen=True, slots=True, eq=False)
class SourcePeople:
    """S people on one mesh of V vertices, metres, y up, facing +z, in the sculptor's A-pose; adults first.

    Attributes:
        vertices: (S, V, 3).
        joints: (S, 24, 3).
        palms_across: (S, 2, 3) for left and right hand, from the little finger's knuckle to the index finger's.
        weights: (V, 24), at most four a row.
        faces: (F, 3), one closed surface: eyeballs and tongue are left out.
        adults: how many of the S are adults.
    """

    vertices: Float32Array
    joints: Float32Array
    palms_across: Float32Array
    weights: Float32Array
    faces: Int64Array
    adults: int


def sample_people(adults: int, children: int, seed: int) -> SourcePeople:
    """Gives people of random shape.

    Args:
        adults: how many of 18 to 75 years.
        children: how many of 3 to 18 years.
        seed: of torch's generator.

    Raises:
        DependencyError: anny is not installed.
    """
    try:
        import anny  # noqa: PLC0415  the extra is needed here only
        from anny.shape_distribution import SimpleShapeDistribution  # noqa: PLC0415
    except ImportError as error:
        raise DependencyError(f"{error.name} is not installed", "body-build") from error
    torch.manual_seed(seed)
    model = anny.Anny(phenotypes="all", skinning_method="lbs")
    faces, kept = largest_surface(model.get_triangular_faces().numpy())
    vertices, bone_heads = [], []
    for count, years in ((adults, ADULT_YEARS), (children, CHILD_YEARS)):
        youngest, oldest = torch.tensor(years, dtype=model.dtype)
        ages = torch.distributions.Uniform(youngest, oldest)
        _, phenotypes = SimpleShapeDistribution(model, morphological_age_distribution=ages).sample(count)
        for part in _batches(phenotypes, count):
            rest = model.get_rest_model(model.get_phenotype_blendshape_coefficients(**part))
            vertices.append(to_y_up(rest["rest_vertices"].numpy()[:, kept]))
            bone_heads.append(to_y_up(rest["rest_bone_heads"].numpy()))
    weights = merge_weights(
        model.bone_labels, model.vertex_bone_weights.numpy()[kept], model.vertex_bone_indices.numpy()[kept]
    )
    all_heads = np.concatenate(bone_heads)
    little, index = (knuckle_ids(model.bone_labels, finger) for finger in (5, 2))
    return SourcePeople(
        vertices=np.concatenate(vertices),
        joints=all_heads[:, joint_heads(model.bone_labels)],
        palms_across=all_heads[:, index] - all_heads[:, little],
        weights=weights,
        faces=faces,
        adults=adults,
    )


def to_y_up(points: np.ndarray) -> Float32Array:
    """Gives points of anny's axes (z up, facing -y) in ours: (x, y, z) -> (x, z, -y)."""
    return np.stack((points[..., 0], points[..., 2], -points[..., 1]), axis=-1).astype(np.float32)


def largest_surface(faces: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Gives the connected surface with most vertices.

    Args:
        faces: (F, 3).

    Returns:
        its faces (F', 3), numbered anew, and the ids of its vertices in the old numbering, ascending.
    """
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    count = int(faces.max()) + 1
    rows, columns = faces.ravel(), np.roll(faces, 1, axis=1).ravel()
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    kept = np.flatnonzero(labels == np.bincount(labels[np.unique(faces)]).argmax())
    number = np.full(count, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    renumbered = number[faces]
    return renumbered[(renumbered >= 0).all(axis=1)], kept


def _batches(phenotypes: dict[str, torch.Tensor], count: int) -> Iterator[dict[str, torch.Tensor]]:
    for start in range(0, count, _BATCH):
        yield {name: values[start : start + _BATCH] for name, values in phenotypes.items()}
