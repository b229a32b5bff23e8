"""Writing a body file: npz under SMPL's names, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mili_core.body.model import JOINTS, BodyModel
from mili_core.errors import BodyError
from mili_core.whole_file import whole_file


def save_body(body: BodyModel, path: Path) -> None:
    """Writes an npz that load_body reads back to equal arrays; halves arrays that half precision holds exactly.

    Args:
        body: the body.
        path: ends in .npz; replaced at once if it exists.

    Raises:
        BodyError: the file or its folder cannot be written.
    """
    try:
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **_arrays(body))
    except OSError as error:
        reason = error.strerror or str(error)
        raise BodyError(f"body {path}: cannot be written ({reason}); name another folder or free disk space") from error


def _arrays(body: BodyModel) -> dict[str, NDArray[np.generic]]:
    arrays: dict[str, NDArray[np.generic]] = {
        "name": np.array(body.name),
        "v_template": body.v_template,
        "shapedirs": _halved(body.shapedirs),
        "J_regressor": body.j_regressor,
        "weights": _halved(body.weights),
        "kintree_table": np.stack((body.parents, np.arange(JOINTS, dtype=np.int64))).astype(np.int32),
        "f": body.faces.astype(np.uint16 if body.vertex_count <= 2**16 else np.uint32),
    }
    if body.posedirs is not None:
        arrays["posedirs"] = body.posedirs
    if body.vertex_ids is not None:
        arrays["vertex_ids"] = body.vertex_ids.astype(np.uint32)
    return arrays


def _halved(array: NDArray[np.float32]) -> NDArray[np.floating]:
    half = array.astype(np.float16)
    return half if np.array_equal(half.astype(np.float32), array) else array
