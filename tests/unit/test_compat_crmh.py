"""CRMH's conventions against slow plain twins written from its specification, and the conversion of its checkpoint."""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open

from jobs.convert_weights import main
from mili_core.api import Predictor
from mili_core.body import load_body, translation_from_weak
from mili_core.body.save import save_body
from mili_core.compat import crmh
from mili_core.compat.checkpoint import check_names, read_state
from mili_core.compat.raw import last_pixels, unpadded_size
from mili_core.config import CRMH_R50, MILI_R50, ModelConfig
from mili_core.errors import BodyError, ConfigError, WeightsError
from mili_core.letterbox import letterbox
from mili_core.nets.box_head import BoxHead, detect, regress
from mili_core.nets.boxes import RPN_STDS, clip, decode
from mili_core.nets.mili import Mili
from mili_core.nets.nms import nms
from mili_core.nets.roi_align import STRIDES, assign_levels, roi_align
from mili_core.nets.rpn import RpnOutput, grid_anchors, ranked_proposals
from mili_core.weights import read_weights, save_weights

TINY = replace(CRMH_R50, fpn_channels=8, box_fc=16, body_channels=8, body_fc=16, pre_nms=60, proposals=40)
EXTRA = ("smpl_head.smpl.v_template", "smpl_head.loss.smpl.faces_tensor", "smpl_head.loss.sdf_loss.faces")


# Plain twins: boxes from the first to the last pixel, as CRMH has them, in Python numbers.


def plain_anchors(height: int, width: int, stride: int) -> list[list[float]]:
    found = []
    for y in range(height):
        for x in range(width):
            for ratio in (0.5, 1.0, 2.0):  # height / width
                wide, high = stride * 8 / math.sqrt(ratio), stride * 8 * math.sqrt(ratio)
                centre = 0.5 * (stride - 1)
                corner = [centre - 0.5 * (wide - 1), centre - 0.5 * (high - 1)]
                corner += [centre + 0.5 * (wide - 1), centre + 0.5 * (high - 1)]
                cell = [round(value) for value in corner]  # halves to even
                found.append([cell[0] + x * stride, cell[1] + y * stride, cell[2] + x * stride, cell[3] + y * stride])
    return found


def plain_decode(box: list[float], delta: list[float], size: tuple[int, int]) -> list[float]:
    wide, high = box[2] - box[0] + 1, box[3] - box[1] + 1
    limit = abs(math.log(16 / 1000))
    new_wide = wide * math.exp(min(max(delta[2], -limit), limit))
    new_high = high * math.exp(min(max(delta[3], -limit), limit))
    x, y = 0.5 * (box[0] + box[2]) + wide * delta[0], 0.5 * (box[1] + box[3]) + high * delta[1]
    moved = [x - 0.5 * new_wide + 0.5, y - 0.5 * new_high + 0.5, x + 0.5 * new_wide - 0.5, y + 0.5 * new_high - 0.5]
    return [min(max(value, 0), last) for value, last in zip(moved, (size[1] - 1, size[0] - 1) * 2, strict=True)]


def plain_iou(a: list[float], b: list[float]) -> float:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]) + 1, min(a[3], b[3]) - max(a[1], b[1]) + 1
    common = max(wide, 0) * max(high, 0)
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    return common / (sum(areas) - common)


def plain_nms(boxes: list[list[float]], scores: list[float], threshold: float) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(plain_iou(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


def plain_sample(feature: np.ndarray, y: float, x: float) -> np.ndarray:
    """One bilinear sample: 0 more than a cell outside, else the border repeated."""
    height, width = feature.shape[1:]
    if y < -1 or y > height or x < -1 or x > width:
        return np.zeros(len(feature))
    y, x = max(y, 0.0), max(x, 0.0)
    y0, x0 = min(int(y), height - 1), min(int(x), width - 1)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    fy, fx = (y - y0 if y1 > y0 else 0.0), (x - x0 if x1 > x0 else 0.0)
    top = feature[:, y0, x0] * (1 - fx) + feature[:, y0, x1] * fx
    return top * (1 - fy) + (feature[:, y1, x0] * (1 - fx) + feature[:, y1, x1] * fx) * fy


def plain_roi_align(feature: np.ndarray, box: list[float], stride: int, side: int) -> np.ndarray:
    left, top = box[0] / stride, box[1] / stride
    wide, high = max((box[2] + 1) / stride - left, 0), max((box[3] + 1) / stride - top, 0)
    out = np.zeros((len(feature), side, side))
    for row in range(side):
        for column in range(side):
            for i in (0.25, 0.75):
                for j in (0.25, 0.75):
                    at = top + (row + i) * high / side, left + (column + j) * wide / side
                    out[:, row, column] += plain_sample(feature, *at) / 4
    return out


def half_open(boxes: object) -> torch.Tensor:
    return torch.as_tensor(boxes, dtype=torch.float32) + torch.tensor([0.0, 0.0, 1.0, 1.0])


def some_boxes(count: int, seed: int) -> torch.Tensor:
    rng = np.random.RandomState(seed)
    corner = rng.uniform(0, 300, (count, 2))
    return torch.tensor(np.concatenate((corner, corner + rng.uniform(0.2, 150, (count, 2))), axis=1)).float()


@pytest.mark.parametrize("stride", [4, 8, 16, 32, 64])
def test_anchors_are_rounded(stride: int) -> None:
    ours = grid_anchors(3, 2, stride, CRMH_R50.anchor_scale, CRMH_R50.anchor_ratios, whole=CRMH_R50.round_anchors)
    assert last_pixels(ours).tolist() == plain_anchors(3, 2, stride)


def test_boxes_are_decoded_and_cut_to_their_last_pixel() -> None:
    boxes, size = some_boxes(80, 0), (280, 330)
    deltas = torch.tensor(np.random.RandomState(1).standard_normal((80, 4))).float()
    deltas[0], deltas[1] = torch.tensor([0.0, 0, 9, -9]), torch.tensor([9.0, 9, 0, 0])  # clamped; beyond the image
    expected = [plain_decode(b, d, size) for b, d in zip(boxes.tolist(), deltas.tolist(), strict=True)]
    ours = clip(decode(deltas, half_open(boxes), RPN_STDS), torch.tensor((330.0, 280.0)), 1.0)
    np.testing.assert_allclose(last_pixels(ours).numpy(), expected, atol=2e-4)


@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_suppression_counts_the_last_pixel(threshold: float) -> None:
    boxes = some_boxes(120, 2)
    scores = torch.tensor(np.random.RandomState(3).permutation(120) / 120).float()
    expected = plain_nms(boxes.tolist(), scores.tolist(), threshold)
    assert nms(half_open(boxes), scores, threshold).tolist() == expected
    edge = [[0, 0, 9, 9], [0, 0, 9, 4], [50, 50, 69, 69], [50, 50, 69, 59]]  # overlaps of exactly .5
    assert nms(half_open(edge), torch.tensor([0.9, 0.8, 0.7, 0.6]), 0.5).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("side", [7, 14])
def test_roi_align_has_no_half_pixel_and_zeros_outside(side: int) -> None:
    rng = np.random.RandomState(4)
    features = [torch.tensor(rng.standard_normal((1, 3, 512 // s, 832 // s))).float() for s in STRIDES]
    boxes = [[100.3, 60.7, 190.2, 300.1], [0, 0, 831, 511], [300, 100, 355, 155], [600, 400, 600.4, 400.4]]
    boxes += [[-2.5, -3.5, 60, 120], [740, 450, 860, 540], [-90, 100, -30, 200], [200, 300, 198, 340]]
    found = roi_align(features, half_open(boxes), torch.zeros(len(boxes), dtype=torch.int64), side, half_pixel=False)
    levels = assign_levels(half_open(boxes)).tolist()
    assert levels[:3] == [1, 3, 0]
    for box, level, ours in zip(boxes, levels, found, strict=True):
        twin = plain_roi_align(features[level][0].numpy(), box, STRIDES[level], side)
        np.testing.assert_allclose(ours.numpy(), twin, atol=3e-4)


def test_proposals_are_cut_suppressed_and_ranked_level_by_level() -> None:
    rng, size = np.random.RandomState(5), (120, 150)
    maps = [(40, 52), (20, 26), (5, 7), (3, 4), (2, 2)]
    anchors = [torch.tensor(plain_anchors(h, w, s)).float() for (h, w), s in zip(maps, (4, 8, 16, 32, 64), strict=True)]
    counts = tuple(len(one) for one in anchors)
    logits = torch.tensor(rng.standard_normal((1, sum(counts)))).float()
    deltas = torch.tensor(rng.standard_normal((1, sum(counts), 4)) * 0.4).float()
    output = RpnOutput(logits, deltas, half_open(torch.cat(anchors)), counts)
    ((boxes, scores),) = ranked_proposals(output, [size], TINY)
    kept: list[tuple[float, list[float]]] = []
    first = 0
    for level, count in zip(anchors, counts, strict=True):
        ranked = sorted(range(count), key=lambda i: -float(logits[0, first + i]))[: TINY.pre_nms]
        cut = [plain_decode(level[i].tolist(), deltas[0, first + i].tolist(), size) for i in ranked]
        best = [float(logits[0, first + i]) for i in ranked]
        kept += [(best[i], cut[i]) for i in plain_nms(cut, best, TINY.rpn_nms_iou)]
        first += count
    kept = sorted(kept, key=lambda row: -row[0])[: TINY.proposals]
    np.testing.assert_allclose(scores.numpy(), [row[0] for row in kept], atol=1e-6)
    np.testing.assert_allclose(last_pixels(boxes).numpy(), [row[1] for row in kept], atol=2e-4)


def test_people_are_the_second_class_and_none_is_too_narrow() -> None:
    boxes, size = some_boxes(50, 6), (200, 250)
    rng = np.random.RandomState(7)
    logits, deltas = torch.tensor(rng.standard_normal((50, 2))).float(), torch.tensor(rng.standard_normal((50, 8)))
    ends = torch.tensor((float(size[1]), float(size[0]))).expand(50, 2)
    moved = regress(deltas[:, -4:].float(), half_open(boxes), ends, CRMH_R50)
    found, scores, index = detect(logits.softmax(dim=1)[:, 1], moved, 0.05, CRMH_R50)
    person = (deltas[:, 4:] * torch.tensor([0.1, 0.1, 0.2, 0.2])).tolist()
    cut = [plain_decode(box, delta, size) for box, delta in zip(boxes.tolist(), person, strict=True)]
    share = [math.exp(b) / (math.exp(a) + math.exp(b)) for a, b in logits.tolist()]
    expected = [i for i in plain_nms(cut, share, 0.5) if share[i] >= 0.05]
    assert index.tolist() == expected
    np.testing.assert_allclose(last_pixels(found).numpy(), [cut[i] for i in expected], atol=2e-4)
    np.testing.assert_allclose(scores.numpy(), [share[i] for i in expected], atol=1e-6)
    assert float((found[:, 2:] - found[:, :2]).min()) < 1.01  # cut to one pixel column, and kept


def test_the_box_head_regresses_a_box_a_class() -> None:
    head, rois = BoxHead(TINY), torch.randn(5, 8, 7, 7)
    _, every = head.all_classes(rois)
    assert every.shape == (5, 8)
    assert torch.equal(head(rois)[1], every[:, 4:])


def test_the_start_pose_holds_columns_0_and_2() -> None:
    mean = torch.tensor(np.random.RandomState(8).standard_normal(72) * 0.3)
    start = crmh.start_pose(mean).reshape(24, 3, 2).double()
    for joint in range(24):
        axis = mean[3 * joint : 3 * joint + 3].numpy() if joint else np.array([np.pi, 0.0, 0.0])
        matrix = cv2.Rodrigues(axis)[0]
        np.testing.assert_allclose(start[joint].numpy(), matrix[:, [0, 2]], atol=1e-6)
    with pytest.raises(WeightsError, match="24 axis-angles"):
        crmh.start_pose(torch.zeros(24, 3))


def test_images_are_resized_without_averaging() -> None:
    image = np.random.default_rng(9).integers(0, 255, (900, 410, 3), dtype=np.uint8)
    boxed = letterbox(image, always_linear=True)
    scale = 512 / 900
    height, width = 512, int(410 * scale + 0.5)
    assert boxed.pixels.shape == (height, width, 3)
    y = (np.arange(height) + 0.5) * 900 / height - 0.5
    x = (np.arange(width) + 0.5) * 410 / width - 0.5
    y0, x0 = np.floor(y).astype(int), np.floor(x).astype(int)
    fy, fx = (y - y0)[:, None, None], (x - x0)[None, :, None]
    rows = [np.clip(y0 + step, 0, 899) for step in (0, 1)]
    columns = [np.clip(x0 + step, 0, 409) for step in (0, 1)]
    corner = [[image[r][:, c].astype(float) for c in columns] for r in rows]
    plain = (corner[0][0] * (1 - fx) + corner[0][1] * fx) * (1 - fy) + (
        corner[1][0] * (1 - fx) + corner[1][1] * fx
    ) * fy
    assert np.abs(plain - boxed.pixels).max() <= 1.0
    assert np.abs(plain - letterbox(image).pixels).max() > 20.0


def test_padding_is_measured_where_the_image_ends() -> None:
    image = torch.zeros(3, 512, 832)
    assert unpadded_size(image) == (512, 832)
    image[1, 100, 600] = 0.5
    assert unpadded_size(image) == (101, 601)


# The checkpoint.


def checkpoint(seed: int = 0) -> dict[str, torch.Tensor]:
    """The tensors of a small made-up checkpoint under CRMH's names."""
    torch.manual_seed(seed)
    state = {}
    for name, shape in crmh.crmh_manifest().items():
        state[name] = torch.tensor(7) if shape == () else torch.rand(shape)
    return state


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> ModelConfig:
    monkeypatch.setattr(crmh, "CRMH_R50", TINY)
    return TINY


def test_the_manifest_is_the_released_one() -> None:
    manifest = crmh.crmh_manifest()
    assert len(manifest) == 385
    counts = {part: sum(name.startswith(part) for name in manifest) for part in ("backbone.", "neck.", "rpn_head.")}
    assert counts == {"backbone.": 318, "neck.": 16, "rpn_head.": 6}
    expected = {
        "neck.lateral_convs.3.conv.weight": (256, 2048, 1, 1),
        "neck.fpn_convs.0.conv.bias": (256,),
        "rpn_head.rpn_cls.weight": (3, 256, 1, 1),
        "rpn_head.rpn_reg.bias": (12,),
        "bbox_head.fc_reg.weight": (8, 1024),
        "bbox_head.shared_fcs.0.weight": (1024, 12544),
        "smpl_head.init_contrep": (144,),
        "smpl_head.convs.3.0.bias": (256,),
        "smpl_head.convs.2.1.num_batches_tracked": (),
        "smpl_head.fc1.weight": (1024, 413),
        "smpl_head.dec.weight": (157, 1024),
    }
    assert {name: manifest[name] for name in expected} == expected
    counters = sum(name.endswith("num_batches_tracked") for name in manifest)
    assert counters == 57
    buffers = ("running_mean", "running_var", "num_batches_tracked", "init_contrep", "init_shape", "init_cam")
    assert sum(math.prod(shape) for name, shape in manifest.items() if not name.endswith(buffers)) == 45_349_110


@pytest.mark.filterwarnings("ignore:these weights regress")
@pytest.mark.parametrize("legacy", [True, False])
def test_a_checkpoint_becomes_weights(
    legacy: bool, tiny: ModelConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = checkpoint()
    licensed = {name: torch.rand(4, 3) for name in EXTRA}
    content = {"meta": {"epoch": 3}, "state_dict": state | licensed, "optimizer": {"state": {}}}
    torch.save(content, tmp_path / "crmh.pt", _use_new_zipfile_serialization=not legacy)
    assert main(["crmh", str(tmp_path / "crmh.pt"), str(tmp_path / "out" / "w.safetensors")]) == 0
    said = capsys.readouterr().out
    for words in ("smpl_head.smpl.*", "smpl_head.loss.smpl.*", "smpl_head.loss.sdf_loss.*", "'meta'", "'optimizer'"):
        assert f"{words}\n" in said
    weights = read_weights(tmp_path / "out" / "w.safetensors")
    assert (weights.config, weights.body_name, weights.body_sha256) == (tiny, "smpl", "")
    assert weights.score_threshold == 0.05
    with safe_open(tmp_path / "out" / "w.safetensors", framework="pt") as stored:
        names = set(stored.keys())
        dtypes = {stored.get_tensor(name).dtype for name in names}
    assert dtypes == {torch.float32}
    assert names == {n for n in Mili(tiny).state_dict() if not n.endswith("num_batches_tracked")}
    assert not [name for name in names if "smpl.v_template" in name or name.startswith("smpl_head.loss")]
    model = Predictor.load(tmp_path / "out" / "w.safetensors", device="cpu", compat="crmh")._model
    own = model.state_dict()
    assert torch.equal(own["backbone.layer3.5.bn2.running_var"], state["backbone.layer3.5.bn2.running_var"])
    assert torch.equal(own["smpl_head.convs.9.weight"], state["smpl_head.convs.3.0.weight"])
    assert torch.equal(own["smpl_head.convs.4.running_mean"], state["smpl_head.convs.1.1.running_mean"])
    assert torch.equal(own["box_head.deltas.weight"], state["bbox_head.fc_reg.weight"])
    assert torch.equal(own["rpn.logit.bias"], state["rpn_head.rpn_cls.bias"])
    start = [state[f"smpl_head.init_{part}"] for part in ("contrep", "shape", "cam")]
    assert torch.equal(own["smpl_head.initial_state"], torch.cat(start))


def wrong(change: str) -> object:
    state = checkpoint()
    if change == "missing":
        del state["neck.fpn_convs.1.conv.bias"]
    elif change == "unknown":
        state["mask_head.conv.weight"] = torch.zeros(3)
    elif change == "shape":
        state["smpl_head.fc2.bias"] = torch.zeros(5)
    elif change == "not finite":
        state["bbox_head.fc_cls.bias"] = torch.tensor([0.0, torch.nan])
    elif change == "empty":
        return {"meta": {}, "state_dict": {}}
    elif change == "number":
        return 3
    elif change == "no tensor":
        return {"state_dict": state | {"epoch": 3}}
    elif change == "code":
        return {"state_dict": state, "meta": Path}
    return {"state_dict": state}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("missing", r"1 of its tensors are missing \(neck\.fpn_convs\.1\.conv\.bias\)"),
        ("unknown", r"1 of its tensors are unknown \(mask_head\.conv\.weight\)"),
        ("shape", r"of another shape \(smpl_head\.fc2\.bias \(5,\) instead of \(16,\)\)"),
        ("not finite", r"not finite \(bbox_head\.fc_cls\.bias\)"),
        ("empty", "holds no state dict"),
        ("number", "holds no state dict, but a int"),
        ("no tensor", "'epoch' is no tensor"),
        ("code", "no pickle of plain tensors and values"),
    ],
)
def test_other_checkpoints_are_refused_in_one_line(
    change: str, words: str, tiny: ModelConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(wrong(change), tmp_path / "x.pt")
    with pytest.raises(WeightsError, match=words) as caught:
        crmh.convert_crmh(tmp_path / "x.pt", tmp_path / "w.safetensors")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"checkpoint {tmp_path / 'x.pt'}: ")
    assert main(["crmh", str(tmp_path / "x.pt"), str(tmp_path / "w.safetensors")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.parametrize("content", [b"", b"half", b"PK\x03\x04 cut", b"\x80\x02}q\x00"])
def test_damaged_files_are_refused_in_one_line(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.pt").write_bytes(content)
    for source in ("x.pt", "none.pt"):
        assert main(["crmh", str(tmp_path / source), str(tmp_path / "w.safetensors")]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"error: checkpoint {tmp_path / source}: ")
        assert said.count("\n") == 1


def legacy(path: Path) -> bytes:
    """A small checkpoint as torch wrote them before its zip format, with a part beside the tensors."""
    state = OrderedDict(a=torch.ones(2, 3), b=torch.arange(3), c=torch.nn.Parameter(torch.zeros(1)))
    torch.save({"meta": {"epoch": 3, "lr": 0.5}, "state_dict": state}, path, _use_new_zipfile_serialization=False)
    return path.read_bytes()


def read(path: Path, content: bytes) -> bool:
    """True where the content is read; any error but the project's own, in one line, fails the test."""
    path.write_bytes(content)
    said = ""
    try:
        state, _ = read_state(path)
        check_names(path, state, {"a": (2, 3), "b": (3,), "c": (1,)})
    except WeightsError as error:
        said = str(error)
    assert said == "" or (said.startswith(f"checkpoint {path}: ") and "\n" not in said)
    return said == ""


def test_a_checkpoint_cut_anywhere_is_refused_in_one_line(tmp_path: Path) -> None:
    content = legacy(tmp_path / "x.pt")
    assert read(tmp_path / "x.pt", content)
    assert not any(read(tmp_path / "x.pt", content[:length]) for length in range(len(content)))


@pytest.mark.parametrize("mask", [0x01, 0xFF])
def test_a_checkpoint_damaged_anywhere_is_read_or_refused_in_one_line(mask: int, tmp_path: Path) -> None:
    content = legacy(tmp_path / "x.pt")
    for place, byte in enumerate(content):
        read(tmp_path / "x.pt", content[:place] + bytes([byte ^ mask]) + content[place + 1 :])


def test_the_protocol_of_a_pickle_is_no_news(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "x.pt", pickle_protocol=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(read_state(tmp_path / "x.pt")[0]) == ["a"]


# The predictor.


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    model = Mili(TINY)
    torch.nn.init.normal_(model.rpn.logit.weight, std=0.5)
    save_weights(path, model, TINY, body_name="smpl", body_sha256="", score_threshold=0.5, notes={})
    return path


def photo() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    return np.ascontiguousarray(np.kron(coarse, np.ones((50, 50, 1), np.uint8)))


@pytest.mark.filterwarnings("ignore:these weights regress")
def test_people_are_the_networks_own_in_px_of_the_image(weights: Path) -> None:
    predictor = Predictor.load(weights, device="cpu", compat="crmh")
    assert predictor._threshold == 0.05
    assert predictor.identity.name == "mili_r50[crmh]"
    image = photo()
    (found,), raw = predictor.predict([image]), predictor.forward_raw(predictor.prepare(image))
    same = predictor.forward_raw(predictor.prepare(image), (512, 768))
    assert torch.equal(raw.boxes_xyxy_plus1, same.boxes_xyxy_plus1)
    scale = 512 / 1000
    assert found.masks is None
    assert len(found) == len(raw.scores) > 0
    np.testing.assert_allclose(found.boxes_xyxy * scale, half_open(raw.boxes_xyxy_plus1).numpy(), atol=1e-2)
    np.testing.assert_allclose(found.crop_boxes_xyxy * scale, raw.boxes_xyxy_plus1.numpy(), atol=1e-2)
    np.testing.assert_allclose(found.cam_crop, raw.cam.numpy(), atol=1e-4)
    np.testing.assert_allclose(found.transl_m, raw.transl_m.numpy(), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(raw.transl_m, translation_from_weak(raw.cam, raw.boxes_xyxy_plus1))
    beside = predictor.predict([image[:500], image])[1]
    np.testing.assert_allclose(beside.boxes_xyxy, found.boxes_xyxy, atol=1e-2)
    nobody = Predictor.load(weights, device="cpu", compat="crmh", score_threshold=1.0).predict([image])[0]
    assert (len(nobody), nobody.masks) == (0, None)


def test_without_their_body_joints_are_a_stand_ins(weights: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="regress the body 'smpl', which is not given"):
        predictor = Predictor.load(weights, device="cpu", compat="crmh")
    assert (predictor.identity.body_name, predictor.identity.body_sha256) == ("smpl", "")
    smpl = replace(load_body(), name="smpl")
    save_body(smpl, tmp_path / "smpl.npz")
    own = Predictor.load(weights, tmp_path / "smpl.npz", device="cpu", compat="crmh")
    assert (own.identity.body_name, own.identity.body_sha256) == ("smpl", smpl.sha256)
    (stand_in,), (exact,) = predictor.predict([photo()]), own.predict([photo()])
    np.testing.assert_array_equal(stand_in.betas, exact.betas)
    np.testing.assert_array_equal(stand_in.transl_m, exact.transl_m)
    assert np.abs(stand_in.joints3d_m - exact.joints3d_m).max() > 0.0
    with pytest.raises(BodyError, match=r"is not the one that the weights regress, 'smpl' \(hash unknown\)"):
        Predictor.load(weights, device="cpu")
    with pytest.raises(BodyError, match="fitted from the shipped body only"):
        Predictor.load(weights, device="cpu", body_mismatch="fit")


def test_other_weights_have_no_such_mode(tmp_path: Path) -> None:
    config = replace(MILI_R50, fpn_channels=8, box_fc=16, mask_channels=8, body_channels=8, body_fc=16)
    body = load_body()
    save_weights(
        tmp_path / "w.safetensors",
        Mili(config),
        config,
        body_name=body.name,
        body_sha256=body.sha256,
        score_threshold=0.5,
        notes={},
    )
    with pytest.raises(ConfigError, match="needs weights made by mili convert-weights crmh") as caught:
        Predictor.load(tmp_path / "w.safetensors", device="cpu", compat="crmh")
    for name in ("attention", "mask_network", "restoration", "round_anchors", "inclusive_boxes", "roi_half_pixel"):
        assert name in str(caught.value)
