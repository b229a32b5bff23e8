"""Users' SMPL pickles: real ones convert without chumpy or scipy, hostile and broken ones are refused unexecuted."""

from __future__ import annotations

import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from tiny_body import tiny_body

from jobs.convert_body import main
from mili_core.body import BodyModel, load_body
from mili_core.body.convert import convert_body
from mili_core.body.load import OPEN_BODY
from mili_core.body.unpickle import read_pickle
from mili_core.errors import BodyError, MissingFileError


def _entries(body: BodyModel) -> dict[str, object]:
    assert body.posedirs is not None
    return {
        "v_template": body.v_template.astype(np.float64),
        "shapedirs": body.shapedirs.astype(np.float64),
        "posedirs": body.posedirs.astype(np.float64),
        "J_regressor": body.j_regressor.astype(np.float64),
        "weights": body.weights.astype(np.float64),
        "kintree_table": np.stack((body.parents % 2**32, np.arange(24))).astype(np.uint32),
        "f": body.faces.astype(np.uint32),
        "bs_type": "lrotmin",
        "bs_style": "lbs",
    }


def _write(path: Path, content: object, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.fixture
def foreign_classes(monkeypatch: pytest.MonkeyPatch) -> dict[str, type]:
    """Classes under chumpy's and scipy's names, there while a test pickles and gone while it reads."""
    classes: dict[str, type] = {}
    for module, name in (
        ("chumpy.ch", "Ch"),
        ("chumpy.reordering", "Select"),
        ("chumpy.ch", "MatVecMult"),
        ("scipy.sparse.csc", "csc_matrix"),
    ):
        stub = monkeypatch_module(monkeypatch, module)
        classes[name] = type(name, (), {"__module__": module})
        monkeypatch.setattr(stub, name, classes[name], raising=False)
    return classes


def monkeypatch_module(monkeypatch: pytest.MonkeyPatch, name: str) -> types.ModuleType:
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        dotted = ".".join(parts[:depth])
        if not isinstance(sys.modules.get(dotted), types.ModuleType):
            monkeypatch.setitem(sys.modules, dotted, types.ModuleType(dotted))
    return sys.modules[name]


def _object(kind: type, **attributes: object) -> object:
    instance = kind()
    instance.__dict__.update(attributes)
    return instance


def _sparse(kind: type, dense: np.ndarray) -> object:
    columns, rows = np.nonzero(dense.T)
    starts = np.concatenate(([0], np.cumsum(np.bincount(columns, minlength=dense.shape[1]))))
    return _object(
        kind,
        _shape=dense.shape,
        data=dense[rows, columns],
        indices=rows.astype(np.int32),
        indptr=starts.astype(np.int32),
        maxprint=50,
    )


@pytest.mark.parametrize("protocol", range(6))
def test_a_plain_pickle_of_any_protocol_converts(tmp_path: Path, protocol: int) -> None:
    body = tiny_body(vertex_ids=False)
    converted = convert_body(_write(tmp_path / "in.pkl", _entries(body), protocol), tmp_path / "out.npz")
    loaded = load_body(tmp_path / "out.npz")
    assert loaded.sha256 == converted.sha256 == body.sha256
    assert loaded.name == "smpl"
    with np.load(tmp_path / "out.npz", allow_pickle=False) as file:
        assert all(file[key].dtype != object for key in file.files)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_chumpy_and_scipy_objects_convert_without_either(
    tmp_path: Path, foreign_classes: dict[str, type], protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = tiny_body(vertex_ids=False)
    entries = _entries(body)
    template, shapedirs = entries["v_template"], entries["shapedirs"]
    assert isinstance(template, np.ndarray)
    assert isinstance(shapedirs, np.ndarray)
    pool = np.concatenate((np.zeros(7), shapedirs.ravel()[::-1]))
    entries |= {
        "v_template": _object(foreign_classes["Ch"], x=template, _dirty_vars=set(), _itr=None),
        "shapedirs": _object(
            foreign_classes["Select"],
            a=_object(foreign_classes["Ch"], x=pool),
            idxs=np.arange(shapedirs.size)[::-1] + 7,
            preferred_shape=shapedirs.shape,
        ),
        "J_regressor": _sparse(foreign_classes["csc_matrix"], body.j_regressor.astype(np.float64)),
    }
    path = _write(tmp_path / "in.pkl", entries, protocol)
    monkeypatch.undo()
    assert "chumpy" not in sys.modules, "chumpy is still importable, so the test proves nothing"
    assert convert_body(path, tmp_path / "out.npz").sha256 == body.sha256


def test_a_computed_chumpy_entry_is_named(tmp_path: Path, foreign_classes: dict[str, type]) -> None:
    entries = _entries(tiny_body()) | {"v_template": _object(foreign_classes["MatVecMult"], mtx=1, vec=2)}
    with pytest.raises(BodyError, match=r"v_template: an entry is a chumpy\.ch\.MatVecMult"):
        convert_body(_write(tmp_path / "in.pkl", entries), tmp_path / "out.npz")


def test_a_damaged_sparse_matrix_is_refused(tmp_path: Path, foreign_classes: dict[str, type]) -> None:
    sparse = _sparse(foreign_classes["csc_matrix"], np.eye(3))
    del sparse.__dict__["indptr"]
    path = _write(tmp_path / "in.pkl", _entries(tiny_body()) | {"J_regressor": sparse})
    with pytest.raises(BodyError, match="J_regressor: a sparse matrix in the file is damaged"):
        convert_body(path, tmp_path / "out.npz")


class _Evil:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle_is_refused_and_not_executed(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "trace"
    entries = _entries(tiny_body()) | {"J": _Evil(os.mkdir, str(trace))}
    path = _write(tmp_path / "in.pkl", entries, protocol)
    with pytest.raises(BodyError, match=r"in\.pkl: the pickle names (posix|nt)\.mkdir.*nothing was executed"):
        convert_body(path, tmp_path / "out.npz")
    assert not trace.exists()
    assert not (tmp_path / "out.npz").exists()
    pickle.loads(path.read_bytes())  # the plain unpickler would have run it
    assert trace.exists()


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (eval, ("1",)),
        (getattr, ("text", "upper")),
        (np.load, ("x",)),
        (np.fromfile, ("x",)),
        (types.SimpleNamespace, ()),
        (__import__, ("os",)),
        (bytearray, (3,)),
    ],
)
def test_anything_outside_the_allow_list_is_named(
    tmp_path: Path, function: object, arguments: tuple[object, ...]
) -> None:
    with pytest.raises(BodyError, match=r"the pickle names \S+, which no SMPL file needs"):
        read_pickle(_write(tmp_path / "in.pkl", {"v_template": _Evil(function, *arguments)}))


def test_chumpy_names_give_no_way_to_other_modules(tmp_path: Path) -> None:
    """A dotted name is not followed: chumpy.ch's "np.load" is a stand-in too."""
    stream = b"\x80\x04\x8c\x09chumpy.ch\x8c\x07np.load\x93\x8c\x01x\x85R."
    (tmp_path / "in.pkl").write_bytes(stream)
    with pytest.raises(BodyError, match=r"in\.pkl is no readable pickle"):
        read_pickle(tmp_path / "in.pkl")


def test_object_arrays_inside_are_not_numbers(tmp_path: Path) -> None:
    entries = _entries(tiny_body()) | {"weights": np.array([1, "a"], dtype=object)}
    with pytest.raises(BodyError, match="weights: an entry is a ndarray"):
        convert_body(_write(tmp_path / "in.pkl", entries), tmp_path / "out.npz")


@pytest.mark.parametrize("directions", [10, 300])
def test_the_first_ten_shape_directions_are_kept(tmp_path: Path, directions: int) -> None:
    body = tiny_body()
    extra = np.random.default_rng(1).normal(size=(60, 3, directions - 10))
    entries = _entries(body) | {"shapedirs": np.concatenate((body.shapedirs, extra), axis=2)}
    assert convert_body(_write(tmp_path / "in.pkl", entries), tmp_path / "out.npz").sha256 == body.sha256


def test_an_npz_with_300_directions_converts_too(tmp_path: Path) -> None:
    body = tiny_body()
    entries = {key: value for key, value in _entries(body).items() if isinstance(value, np.ndarray)}
    wide = np.concatenate((body.shapedirs, np.ones((60, 3, 290))), axis=2)
    np.savez(tmp_path / "in.npz", **(entries | {"shapedirs": wide}))
    assert convert_body(tmp_path / "in.npz", tmp_path / "out.npz").sha256 == body.sha256


def test_landmarks_are_found_on_a_body_that_has_none(tmp_path: Path) -> None:
    shipped = load_body()
    with np.load(OPEN_BODY) as file:
        entries = {key: file[key] for key in file.files if key not in {"vertex_ids", "name"}}
    converted = convert_body(_write(tmp_path / "in.pkl", entries), tmp_path / "out.npz")
    np.testing.assert_array_equal(converted.vertex_ids, shipped.vertex_ids)
    np.testing.assert_array_equal(load_body(tmp_path / "out.npz").vertex_ids, shipped.vertex_ids)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"v_template": np.zeros((60, 4))}, "v_template"),
        ({"shapedirs": np.zeros((60, 3, 5))}, "shapedirs"),
        ({"shapedirs": np.zeros((60, 30))}, "shapedirs"),
        ({"weights": np.zeros((59, 24))}, "weights"),
        ({"kintree_table": np.zeros((2, 55), dtype=np.int64)}, "parents"),
        ({"f": "text"}, "f: an entry is a str"),
    ],
)
def test_wrong_shapes_are_named(tmp_path: Path, change: dict[str, object], words: str) -> None:
    path = _write(tmp_path / "in.pkl", _entries(tiny_body()) | change)
    with pytest.raises(BodyError, match=rf"in\.pkl.*{words}"):
        convert_body(path, tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x02", pickle.dumps([1, 2])])
def test_broken_pickles_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.pkl").write_bytes(content)
    with pytest.raises(BodyError, match=r"in\.pkl") as caught:
        convert_body(tmp_path / "in.pkl", tmp_path / "out.npz")
    assert "\n" not in str(caught.value)


def test_a_missing_source_and_a_wrong_output_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"none\.pkl does not exist"):
        convert_body(tmp_path / "none.pkl", tmp_path / "out.npz")
    path = _write(tmp_path / "in.pkl", _entries(tiny_body()))
    with pytest.raises(BodyError, match=r"out\.pkl must end in \.npz"):
        convert_body(path, tmp_path / "out.pkl")


def test_the_command_says_what_it_wrote_or_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = tiny_body()
    path = _write(tmp_path / "in.pkl", _entries(body))
    assert main([str(path), str(tmp_path / "out.npz")]) == 0
    assert body.sha256 in capsys.readouterr().out
    path.write_bytes(b"garbage")
    assert main([str(path), str(tmp_path / "other.npz")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_a_body_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _write(tmp_path / "in.pkl", _entries(tiny_body()))
    (tmp_path / "file").touch()
    assert main([str(path), str(tmp_path / "file" / "out.npz")]) == 2
    error = capsys.readouterr().err
    assert "out.npz: cannot be written" in error
    assert error.count("\n") == 1
