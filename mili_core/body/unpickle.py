"""Reading SMPL's pickles without executing anything in them.

An official file holds plain numpy arrays, chumpy objects and one scipy sparse matrix. Only numpy's array
constructors are called; chumpy and scipy objects become inert stand-ins whose arrays are taken out afterwards; any
other class or function that the pickle names is refused. Neither chumpy nor scipy is needed.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import BodyError

_SPARSE_CLASS = "csc_matrix"


class PickledObject:
    """Stand-in for an object of a class that is not imported; keeps its attributes, does nothing."""

    pickled_class = ""


class _ArrayType:
    """Stands in for numpy.ndarray, which a pickle may name but not call."""


def _make_array(subtype: type, shape: tuple[int, ...], kind: bytes | str) -> NDArray[Any]:
    """Stands in for numpy's _reconstruct: an empty array, which the pickle then fills."""
    if subtype is not _ArrayType:
        raise BodyError(f"the pickle makes an array of type {subtype!r}, expected numpy.ndarray")
    return np.empty(shape, dtype=kind.decode() if isinstance(kind, bytes) else kind)


def _make_array_from_bytes(
    buffer: bytes | bytearray, dtype: np.dtype[Any], shape: tuple[int, ...], order: Literal["C", "F"]
) -> NDArray[Any]:
    """Stands in for numpy's _frombuffer (pickle protocol 5): a whole array from its bytes."""
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)


def _make_scalar(dtype: np.dtype[Any], data: bytes | str) -> np.generic:
    """Stands in for numpy's scalar: one number from its bytes."""
    if dtype.hasobject:
        raise BodyError("the pickle holds a numpy object scalar, which no SMPL file needs")
    raw = data.encode("latin-1") if isinstance(data, str) else data
    number: np.generic = np.frombuffer(raw, dtype=dtype, count=1)[0]
    return number


def _make_object(kind: type, base: type, state: object) -> PickledObject:
    """Stands in for copyreg._reconstructor, which old pickle protocols use for every object."""
    del base, state
    if not (isinstance(kind, type) and issubclass(kind, PickledObject)):
        raise BodyError(f"the pickle makes an object of type {kind!r}, which no SMPL file needs")
    return kind()


def _latin1(text: str, encoding: str) -> bytes:
    """Stands in for _codecs.encode, which old pickle protocols use for bytes."""
    if encoding not in {"latin1", "latin-1"}:
        raise BodyError(f"the pickle encodes text as {encoding!r}, expected latin1")
    return text.encode("latin-1")


_ALLOWED: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "ndarray"): _ArrayType,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _make_array,
    ("numpy._core.multiarray", "_reconstruct"): _make_array,
    ("numpy.core.numeric", "_frombuffer"): _make_array_from_bytes,
    ("numpy._core.numeric", "_frombuffer"): _make_array_from_bytes,
    ("numpy.core.multiarray", "scalar"): _make_scalar,
    ("numpy._core.multiarray", "scalar"): _make_scalar,
    ("copy_reg", "_reconstructor"): _make_object,
    ("copyreg", "_reconstructor"): _make_object,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
    ("__builtin__", "set"): set,  # chumpy objects keep one of their own
    ("builtins", "set"): set,
    ("_codecs", "encode"): _latin1,
}


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401  the base class's contract
        """Gives an allow-listed constructor or a stand-in class; nothing is imported."""
        allowed = _ALLOWED.get((module, name))
        if allowed is not None:
            return allowed
        is_chumpy = module == "chumpy" or module.startswith("chumpy.")
        if is_chumpy or (module.startswith("scipy.sparse") and name == _SPARSE_CLASS):
            return type(name, (PickledObject,), {"pickled_class": f"{module}.{name}"})
        raise BodyError(f"the pickle names {module}.{name}, which no SMPL file needs; refused, nothing was executed")


def read_pickle(path: Path) -> dict[str, object]:
    """Gives the entries of a pickled SMPL dictionary; values are arrays, plain values or PickledObject.

    Raises:
        BodyError: the pickle names anything outside the allow-list, is damaged or holds no dictionary.
    """
    with path.open("rb") as file:
        try:
            content = _RestrictedUnpickler(file, encoding="latin1").load()
        except BodyError as error:
            raise BodyError(f"{path}: {error}") from error
        except Exception as error:  # a damaged pickle can raise anything, and all of it means the same to the user
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise BodyError(f"{path} is no readable pickle ({reason}); download it again") from error
    if not isinstance(content, dict):
        raise BodyError(f"{path} holds a {type(content).__name__}, expected SMPL's dictionary of arrays")
    return {str(key): value for key, value in content.items()}


def to_array(value: object) -> NDArray[Any]:
    """Gives the numbers of an entry: an array as it is, chumpy's and scipy's stand-ins unwrapped.

    Raises:
        BodyError: the entry is of a kind that SMPL files do not have.
    """
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value
    if isinstance(value, PickledObject):
        attributes = vars(value)
        if value.pickled_class.startswith("scipy."):
            return _sparse_to_dense(attributes)
        if "x" in attributes:  # chumpy.Ch: the array itself
            return to_array(attributes["x"])
        if {"a", "idxs", "preferred_shape"} <= attributes.keys():  # chumpy's Select: some elements of another
            return _select(attributes)
        raise BodyError(f"an entry is a {value.pickled_class} computed from others; expected stored numbers")
    raise BodyError(f"an entry is a {type(value).__name__}, expected an array of numbers")


def _select(attributes: dict[str, Any]) -> NDArray[Any]:
    """Gives the elements that chumpy's Select picks from another array."""
    try:
        chosen = to_array(attributes["a"]).ravel()[to_array(attributes["idxs"])]
        picked: NDArray[Any] = chosen.reshape(tuple(attributes["preferred_shape"]))
    except (IndexError, ValueError, TypeError) as error:
        raise BodyError(f"a chumpy selection in the file is damaged ({type(error).__name__}: {error})") from error
    return picked


def _sparse_to_dense(attributes: dict[str, Any]) -> NDArray[Any]:
    """Gives the dense matrix of a scipy csc_matrix's state."""
    try:
        data, rows, starts = (to_array(attributes[key]) for key in ("data", "indices", "indptr"))
        dense: NDArray[Any] = np.zeros(tuple(attributes["_shape"]), dtype=data.dtype)
        counts: NDArray[np.int64] = starts[1:].astype(np.int64) - starts[:-1].astype(np.int64)
        columns = np.repeat(np.arange(dense.shape[1]), counts)
        np.add.at(dense, (rows.astype(np.int64), columns), data)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise BodyError(f"a sparse matrix in the file is damaged ({type(error).__name__}: {error})") from error
    return dense
