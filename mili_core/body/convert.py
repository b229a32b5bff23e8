"""A user's SMPL file (.pkl or .npz) to the npz that the project reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mili_core.body.landmarks import find_landmarks
from mili_core.body.load import OPTIONAL_KEYS, REQUIRED_KEYS, body_from_arrays, read_npz
from mili_core.body.model import BETAS, BodyModel
from mili_core.body.save import save_body
from mili_core.body.unpickle import read_pickle, to_array
from mili_core.errors import BodyError, MissingFileError


def convert_body(source: Path, target: Path) -> BodyModel:
    """Gives the body of an SMPL file and writes it as an npz that load_body reads.

    The first ten shape directions are kept. Landmark vertices are found on the template; a body whose landmarks
    cannot be found is written without them.

    Args:
        source: .pkl (official, with or without chumpy objects; nothing in it is executed) or .npz.
        target: the .npz to write; replaced if it exists.

    Raises:
        MissingFileError: there is no source.
        BodyError: the source is unsafe, damaged or no SMPL body, or the target is not named .npz.
    """
    if not source.is_file():
        raise MissingFileError(f"SMPL file {source} does not exist; it is often named basicmodel_neutral_lbs_*.pkl")
    if target.suffix != ".npz":
        raise BodyError(f"output {target} must end in .npz")
    arrays = read_npz(source) if source.suffix == ".npz" else _read_pickled_arrays(source)
    try:
        body = body_from_arrays(_first_directions(arrays))
    except BodyError as error:
        raise BodyError(f"{source}: {error}") from error
    body = with_landmarks(body)
    save_body(body, target)
    return body


def with_landmarks(body: BodyModel) -> BodyModel:
    """Gives the body with vertex_ids found on its template, or unchanged where it has them or none can be found."""
    if body.vertex_ids is not None:
        return body
    joints = body.j_regressor @ body.v_template
    try:
        return replace(body, vertex_ids=find_landmarks(body.v_template, joints, body.weights, body.faces))
    except BodyError:
        return body


def _read_pickled_arrays(source: Path) -> dict[str, NDArray[np.generic]]:
    entries = read_pickle(source)
    arrays: dict[str, NDArray[np.generic]] = {}
    for key in (*REQUIRED_KEYS, *OPTIONAL_KEYS):
        if key in entries and key != "name":
            try:
                arrays[key] = to_array(entries[key])
            except BodyError as error:
                raise BodyError(f"{source}, {key}: {error}") from error
    return arrays


def _first_directions(arrays: dict[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    shapedirs = arrays.get("shapedirs")
    if shapedirs is None or shapedirs.ndim != 3:
        return arrays
    return arrays | {"shapedirs": shapedirs[:, :, :BETAS]}
