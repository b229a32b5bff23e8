"""The composition: sizes of the paper's and of the light configuration, identities at the start, N = 0."""

from dataclasses import replace

import pytest
import torch

from mili_core.config import MILI_LITE, MILI_R50
from mili_core.errors import ConfigError
from mili_core.nets.attention import SpatialAttention
from mili_core.nets.box_head import LIKELY
from mili_core.nets.boxes import BOX_STDS, decode
from mili_core.nets.mask_head import MaskHead
from mili_core.nets.mili import Mili
from mili_core.nets.resnet import ResNet50
from mili_core.nets.restoration import Restoration
from mili_core.nets.smpl_head import SmplHead

TINY = replace(MILI_LITE, name="tiny", fpn_channels=8, box_fc=16, mask_channels=8, body_channels=8, body_fc=16)


def test_lite_keeps_its_budget() -> None:
    model = Mili(MILI_LITE)
    assert sum(p.numel() for p in model.parameters()) <= 8_000_000
    assert sum(p.numel() for p in model.attention["lr"].parameters()) == 98


def test_resnet_has_torchvisions_names_and_size() -> None:
    state = ResNet50().state_dict()
    assert len(state) == 318
    assert sum(p.numel() for p in ResNet50().parameters()) == 23_508_032
    assert {"conv1.weight", "layer1.0.downsample.1.running_var", "layer4.2.bn3.bias"} <= set(state)


def test_paper_configuration_runs() -> None:
    model = Mili(replace(MILI_R50, pre_nms=50, proposals=20)).eval()
    assert sum(p.numel() for p in model.mask_head.parameters()) == 2_622_977
    people = model(torch.zeros(1, 3, 128, 192), [(128, 192)], 0.0)
    assert people.bodies.rotmats.shape == (len(people.scores), 24, 3, 3)


def test_pyramid_levels_of_the_canvas() -> None:
    levels = Mili(TINY).eval().features(torch.zeros(1, 3, 512, 832))
    assert [tuple(level.shape[2:]) for level in levels] == [(128, 208), (64, 104), (32, 52), (16, 26)]


def test_attention_and_restoration_start_as_identity() -> None:
    images = torch.randn(2, 3, 32, 48)
    torch.testing.assert_close(SpatialAttention()(images), images)
    for size in ((16, 26), (7, 5)):
        top = torch.randn(1, 8, *size)
        torch.testing.assert_close(Restoration(8)(top), top)


def test_attention_leaves_padding_zero() -> None:
    attention = SpatialAttention()
    torch.nn.init.normal_(attention.conv.weight)
    images = torch.randn(1, 3, 32, 48)
    images[..., 30:] = 0
    assert attention(images)[..., 30:].abs().max() == 0


@pytest.mark.parametrize("count", [0, 1, 5])
def test_heads_take_any_number_of_people(count: int) -> None:
    rois = torch.randn(count, TINY.fpn_channels, 14, 14)
    assert MaskHead(TINY)(rois).shape == (count, 28, 28)
    boxes = torch.tensor([[10.0, 20.0, 30.0, 80.0]]).expand(count, 4)
    state = SmplHead(TINY).eval()(rois, boxes)
    assert state.rotmats.shape == (count, 24, 3, 3)
    eye = torch.eye(3).expand(count, 24, 3, 3)
    torch.testing.assert_close(state.rotmats @ state.rotmats.transpose(2, 3), eye, atol=1e-5, rtol=0)


def test_branches_share_all_but_attention_masks_and_restoration() -> None:
    torch.manual_seed(2)
    model = Mili(TINY).eval()
    images = torch.randn(2, 3, 64, 96)
    torch.testing.assert_close(model.features(images, "hr"), model.features(images, "lr"))  # identities at the start
    torch.nn.init.normal_(model.restoration.out.weight, std=0.1)
    for low, high in zip(model.features(images, "lr")[:-1], model.features(images, "hr")[:-1], strict=True):
        torch.testing.assert_close(low, high)
    assert not torch.allclose(model.features(images, "lr")[-1], model.features(images, "hr")[-1])
    torch.nn.init.normal_(model.attention["hr"].conv.weight, std=0.5)
    assert not torch.allclose(model.features(images, "lr")[0], model.features(images, "hr")[0])
    assert model(images, [(64, 96)] * 2, 0.0, "hr").mask_logits is None
    low = model(images, [(64, 96)] * 2, 0.0, "lr")
    assert low.mask_logits is not None
    assert low.mask_logits.shape == (len(low.scores), 28, 28)
    own = {name.split(".")[0] for name, _ in model.named_parameters()}
    assert own == {"attention", "backbone", "neck", "restoration", "rpn", "box_head", "mask_head", "smpl_head"}


def test_a_restoration_may_serve_its_loss_alone() -> None:
    model = Mili(replace(TINY, restoration_use="aux")).eval()
    torch.nn.init.normal_(model.restoration.out.weight, std=0.1)
    images = torch.randn(1, 3, 64, 96)
    torch.testing.assert_close(model.features(images, "lr"), model.features(images, "hr"))


@pytest.mark.parametrize(
    ("switch", "prefix"), [({"mask_network": False}, "mask_head."), ({"restoration": False}, "restoration.")]
)
def test_a_part_that_is_switched_off_does_not_exist(switch: dict[str, bool], prefix: str) -> None:
    full, less = Mili(TINY), Mili(replace(TINY, **switch)).eval()  # type: ignore[arg-type]
    gone = set(full.state_dict()) - set(less.state_dict())
    assert gone == {name for name in full.state_dict() if name.startswith(prefix)}
    people = less(torch.zeros(1, 3, 64, 96), [(64, 96)], 0.0)
    assert (people.mask_logits is None) == (prefix == "mask_head.")
    assert people.of_image(0).bodies.betas.shape == (len(people.scores), 10)
    assert len(people.of_image(1).scores) == 0


@pytest.mark.parametrize("name", ["backbone", "restoration_use", "attention"])
def test_unknown_choices_are_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"the model's {name} cannot be 'x'"):
        replace(TINY, **{name: ("x",) if name == "attention" else "x"})  # type: ignore[arg-type]


def test_nobody_and_many_images_at_once() -> None:
    model = Mili(TINY).eval()
    people = model(torch.zeros(2, 3, 64, 96), [(64, 96), (40, 90)], 1.1)
    assert len(people.scores) == 0
    assert people.mask_logits is not None
    assert people.mask_logits.shape == (0, 28, 28)


def test_people_stay_inside_their_image() -> None:
    torch.manual_seed(1)
    people = Mili(TINY).eval()(torch.randn(2, 3, 64, 96), [(64, 96), (40, 70)], 0.0)
    second = people.boxes_xyxy[people.image_index == 1]
    assert len(second)
    assert second[:, 2].max() <= 70
    assert second[:, 3].max() <= 40


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_the_box_head_looks_again_through_the_boxes_that_it_made(passes: int) -> None:
    torch.manual_seed(0)
    model = Mili(replace(TINY, box_passes=passes)).eval()
    torch.nn.init.normal_(model.box_head.deltas.weight, std=0.05)
    torch.nn.init.normal_(model.box_head.logits.weight, std=8.0)
    levels = [torch.randn(2, 8, 96 // stride, 128 // stride) for stride in (4, 8, 16, 32)]
    corner = torch.rand(12, 2) * torch.tensor((90.0, 60.0))
    proposals = torch.cat((corner, corner + 8.0 + torch.rand(12, 2) * 30.0), dim=1)
    index = torch.arange(12) % 2
    ends = torch.tensor(((128.0, 96.0), (100.0, 90.0)))[index]
    scores, boxes = model.judged(levels, proposals, index, ends)
    likely = 0
    for row in range(12):
        box, looks = proposals[row : row + 1], []
        for number in range(passes):
            logits, deltas = model.box_head(model.rois(levels, box, index[row : row + 1], 7))
            looks.append(logits.softmax(dim=1)[0, 1].item())
            box = decode(deltas, box, BOX_STDS)
            low, (width, height) = torch.zeros(4), ends[row].tolist()
            box = box.clamp(min=low, max=torch.tensor((width, height, width, height)))
            if number == 0 and looks[0] < LIKELY:
                break
        likely += len(looks) == passes
        torch.testing.assert_close(boxes[row], box[0], rtol=1e-4, atol=1e-3)
        assert scores[row].item() == pytest.approx(sum(looks) / len(looks), abs=1e-5)
    assert 0 < likely < 12 or passes == 1, "some are likely and some are not, or this shows little"


def test_nobody_likely_needs_no_second_look() -> None:
    model = Mili(TINY).eval()
    torch.nn.init.constant_(model.box_head.logits.bias, 0.0)
    with torch.no_grad():
        model.box_head.logits.bias[0] = 50.0
    levels = [torch.randn(1, 8, 64 // stride, 64 // stride) for stride in (4, 8, 16, 32)]
    scores, boxes = model.judged(
        levels, torch.tensor([[4.0, 4.0, 20.0, 40.0]]), torch.zeros(1, dtype=torch.int64), torch.tensor([[64.0, 64.0]])
    )
    assert scores.item() < 1e-6
    assert boxes.shape == (1, 4)
    none = model.judged(levels, torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 2))
    assert [len(part) for part in none] == [0, 0]
