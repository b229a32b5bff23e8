"""Reading a body file: npz only, nothing in it is ever executed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mili_core.body.model import BETAS, BodyModel
from mili_core.errors import BodyError, MissingFileError

OPEN_BODY = Path(__file__).parent / "data" / "open_body.npz"
REQUIRED_KEYS = ("v_template", "shapedirs", "J_regressor", "weights", "kintree_table", "f")
OPTIONAL_KEYS = ("posedirs", "vertex_ids", "name")
CONVERT_HINT = "run `mili convert-body IN.pkl OUT.npz` and give the .npz"


def load_body(path: Path | None = None) -> BodyModel:
    """Gives the body of an npz file in SMPL's layout.

    Args:
        path: a file written by convert_body or build_open_body; None means the shipped open body.

    Raises:
        MissingFileError: there is no such file.
        BodyError: the file is no npz, lacks an array, or an array has the wrong shape or values.
    """
    path = OPEN_BODY if path is None else Path(path)
    if not path.is_file():
        raise MissingFileError(f"body file {path} does not exist; name a body .npz or leave it out for the open body")
    if path.suffix in {".pkl", ".pickle"}:
        raise BodyError(f"body file {path} is a pickle, which can execute code when read: {CONVERT_HINT}")
    arrays = read_npz(path)
    try:
        return body_from_arrays(arrays)
    except BodyError as error:
        raise BodyError(f"{path}: {error}") from error


def read_npz(path: Path) -> dict[str, NDArray[np.generic]]:
    """Gives the arrays of a npz file by name; refuses object arrays, which would need unpickling."""
    if not zipfile.is_zipfile(path):
        raise BodyError(f"{path} cannot be read as a plain npz (not a zip archive): {CONVERT_HINT}")
    try:
        with np.load(path, allow_pickle=False) as file:
            known = [key for key in (*REQUIRED_KEYS, *OPTIONAL_KEYS) if key in file.files]
            return {key: file[key] for key in known}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise BodyError(f"{path} cannot be read as a plain npz ({type(error).__name__}): {CONVERT_HINT}") from error


def body_from_arrays(arrays: dict[str, NDArray[np.generic]]) -> BodyModel:
    """Gives the body that arrays under SMPL's names describe.

    Args:
        arrays: REQUIRED_KEYS and any of OPTIONAL_KEYS; numbers of any precision. `kintree_table` is (2, 24), its
            root parent -1 or the same as unsigned; `name` defaults to "smpl".

    Raises:
        BodyError: an array is missing or unusable.
    """
    missing = [key for key in REQUIRED_KEYS if key not in arrays]
    if missing:
        raise BodyError(f"no {', '.join(missing)} in the file; a body needs {', '.join(REQUIRED_KEYS)}")
    shapedirs = _floats(arrays, "shapedirs")
    if shapedirs.ndim == 3 and shapedirs.shape[2] > BETAS:
        raise BodyError(f"shapedirs has {shapedirs.shape[2]} directions, expected {BETAS}: {CONVERT_HINT}")
    posedirs = _floats(arrays, "posedirs") if "posedirs" in arrays else None
    return BodyModel(
        name=str(arrays["name"]) if "name" in arrays else "smpl",
        v_template=_floats(arrays, "v_template"),
        shapedirs=shapedirs,
        posedirs=posedirs if posedirs is not None and posedirs.any() else None,
        j_regressor=_floats(arrays, "J_regressor"),
        weights=_floats(arrays, "weights"),
        parents=_parents(arrays),
        faces=_integers(arrays, "f"),
        vertex_ids=_integers(arrays, "vertex_ids") if "vertex_ids" in arrays else None,
    )


def _floats(arrays: dict[str, NDArray[np.generic]], key: str) -> NDArray[np.float32]:
    array = arrays[key]
    if array.dtype.kind != "f":
        raise BodyError(f"{key} is {array.dtype}, expected floating point")
    return np.ascontiguousarray(array, dtype=np.float32)


def _integers(arrays: dict[str, NDArray[np.generic]], key: str) -> NDArray[np.int64]:
    array = arrays[key]
    if array.dtype.kind not in "iu":
        raise BodyError(f"{key} is {array.dtype}, expected integers")
    return np.ascontiguousarray(array, dtype=np.int64)


def _parents(arrays: dict[str, NDArray[np.generic]]) -> NDArray[np.int64]:
    """Gives the parent of each joint; SMPL's files write the root's -1 as an unsigned number."""
    table = _integers(arrays, "kintree_table")
    if table.ndim != 2 or len(table) != 2:
        raise BodyError(f"kintree_table has shape {table.shape}, expected (2, 24)")
    parents: NDArray[np.int64] = table[0].copy()
    if parents.size and parents[0] in {-1, 2**32 - 1, 2**64 - 1}:
        parents[0] = -1
    return parents
