"""Body files: what is read, what is refused and with which words; the identity of a body."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_body import tiny_body

from mili_core.body import BodyModel, load_body
from mili_core.body.save import save_body
from mili_core.errors import BodyError, MissingFileError

ARRAYS = ("v_template", "shapedirs", "posedirs", "j_regressor", "weights", "parents", "faces", "vertex_ids")


def _smpl_arrays(body: BodyModel) -> dict[str, np.ndarray]:
    """The arrays as an official file names and types them."""
    assert body.posedirs is not None
    return {
        "v_template": body.v_template.astype(np.float64),
        "shapedirs": body.shapedirs.astype(np.float64),
        "posedirs": body.posedirs.astype(np.float64),
        "J_regressor": body.j_regressor.astype(np.float64),
        "weights": body.weights.astype(np.float64),
        "kintree_table": np.stack((body.parents % 2**32, np.arange(24))).astype(np.uint32),
        "f": body.faces.astype(np.uint32),
    }


def _assert_equal(left: BodyModel, right: BodyModel) -> None:
    for name in ARRAYS:
        a, b = getattr(left, name), getattr(right, name)
        assert (a is None) == (b is None), name
        if a is not None:
            np.testing.assert_array_equal(a, b, err_msg=name)
            assert a.dtype == b.dtype


@pytest.mark.parametrize("posedirs", [True, False])
def test_saving_and_loading_keeps_every_array_and_the_hash(tmp_path: Path, posedirs: bool) -> None:
    body = tiny_body(posedirs=posedirs)
    save_body(body, tmp_path / "deep" / "body.npz")
    loaded = load_body(tmp_path / "deep" / "body.npz")
    _assert_equal(loaded, body)
    assert (loaded.name, loaded.sha256) == ("tiny", body.sha256)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["body.npz"]


def test_an_official_npz_with_unsigned_root_and_float64_loads_as_smpl(tmp_path: Path) -> None:
    body = tiny_body(vertex_ids=False)
    np.savez(tmp_path / "smpl.npz", **_smpl_arrays(body))
    loaded = load_body(tmp_path / "smpl.npz")
    _assert_equal(loaded, body)
    assert loaded.name == "smpl"
    assert loaded.parents[0] == -1


def test_zero_posedirs_count_as_none(tmp_path: Path) -> None:
    arrays = _smpl_arrays(tiny_body())
    arrays["posedirs"] = np.zeros_like(arrays["posedirs"])
    np.savez(tmp_path / "body.npz", **arrays)
    loaded = load_body(tmp_path / "body.npz")
    assert loaded.posedirs is None
    assert loaded.sha256 == tiny_body(posedirs=False).sha256


def test_the_hash_is_of_the_values_not_of_the_file_or_the_layout(tmp_path: Path) -> None:
    body = tiny_body()
    column_major = replace(body, v_template=np.asfortranarray(body.v_template))
    assert column_major.sha256 == body.sha256
    assert replace(body, name="other").sha256 == body.sha256
    np.savez(tmp_path / "plain.npz", **_smpl_arrays(body))
    assert load_body(tmp_path / "plain.npz").sha256 == body.sha256


@pytest.mark.parametrize("name", ["v_template", "shapedirs", "posedirs", "j_regressor", "weights", "faces"])
def test_the_hash_sees_every_array(name: str) -> None:
    body = tiny_body()
    changed = getattr(body, name).copy()
    changed.flat[0], changed.flat[1] = changed.flat[1], changed.flat[0]
    assert replace(body, **{name: changed}).sha256 != body.sha256


def test_a_pickle_is_sent_to_convert_body(tmp_path: Path) -> None:
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(BodyError, match=r"SMPL_NEUTRAL\.pkl is a pickle.*convert-body"):
        load_body(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"nowhere\.npz does not exist"):
        load_body(tmp_path / "nowhere.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"some text", pickle.dumps([1])])
def test_a_file_that_is_no_npz_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "body.npz"
    path.write_bytes(content)
    with pytest.raises(BodyError, match=r"body\.npz cannot be read as a plain npz") as caught:
        load_body(path)
    assert "\n" not in str(caught.value)


def test_a_single_npy_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "body.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(BodyError, match="cannot be read as a plain npz"):
        load_body(tmp_path / "body.npz")


def test_object_arrays_are_never_unpickled(tmp_path: Path) -> None:
    arrays = _smpl_arrays(tiny_body())
    np.savez(tmp_path / "body.npz", **(arrays | {"J_regressor": np.array({"a": 1}, dtype=object)}))
    with pytest.raises(BodyError, match="cannot be read as a plain npz"):
        load_body(tmp_path / "body.npz")


def test_missing_arrays_are_all_named(tmp_path: Path) -> None:
    arrays = _smpl_arrays(tiny_body())
    del arrays["weights"], arrays["f"]
    np.savez(tmp_path / "body.npz", **arrays)
    with pytest.raises(BodyError, match=r"body\.npz: no weights, f in the file"):
        load_body(tmp_path / "body.npz")


@pytest.mark.parametrize(
    ("key", "array", "words"),
    [
        ("v_template", np.zeros((60, 2)), r"v_template is float32\(60, 2\), expected float32\(60, 3\)"),
        ("v_template", np.full((60, 3), np.nan), "v_template holds values that are not finite"),
        ("v_template", np.zeros((60, 3), dtype=np.int64), "v_template is int64, expected floating point"),
        ("v_template", np.zeros((0, 3)), "expected"),
        ("shapedirs", np.zeros((60, 3, 9)), r"shapedirs is float32\(60, 3, 9\)"),
        ("shapedirs", np.zeros((60, 3, 300)), "shapedirs has 300 directions, expected 10.*convert-body"),
        ("posedirs", np.ones((60, 3, 459)), r"posedirs is float32\(60, 3, 459\), expected float32\(60, 3, 207\)"),
        ("J_regressor", np.zeros((24, 61)), "j_regressor"),
        ("weights", np.zeros((60, 52)), "weights"),
        ("weights", np.full((60, 24), 0.5), "miss a sum of 1"),
        ("kintree_table", np.zeros((2, 52), dtype=np.int64), "parents"),
        ("kintree_table", np.zeros(24, dtype=np.int64), r"kintree_table has shape \(24,\)"),
        ("kintree_table", np.full((2, 24), -1, dtype=np.int64), "no tree"),
        ("f", np.full((4, 3), 60, dtype=np.uint32), "faces has vertex 60"),
        ("f", np.zeros((4, 3)), "f is float64, expected integers"),
        ("f", np.zeros((0, 3), dtype=np.int64), "0 faces"),
        ("vertex_ids", np.full(21, -1, dtype=np.int64), "vertex_ids"),
        ("vertex_ids", np.zeros(20, dtype=np.int64), "vertex_ids"),
    ],
)
def test_wrong_arrays_are_named(tmp_path: Path, key: str, array: np.ndarray, words: str) -> None:
    np.savez(tmp_path / "body.npz", **(_smpl_arrays(tiny_body()) | {key: array}))
    with pytest.raises(BodyError, match=words) as caught:
        load_body(tmp_path / "body.npz")
    assert "\n" not in str(caught.value)
