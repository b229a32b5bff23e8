"""Training: an interrupted run continues exactly, a broken one stops, bodies and boxes both learn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_training import HR, LR, SETTINGS, TINY, ToyStream, fresh, guided, lively, quiet, supervision

from mili_core.errors import ConfigError
from mili_core.losses.settings import TUNE_WEIGHTS, LossSettings, LossWeights
from mili_core.losses.total import LossTerms, total_loss
from mili_core.nets.mili import Mili
from mili_core.nets.rpn import propose
from mili_core.training.assign import Sampling
from mili_core.training.batch import Batch, collate, normalise
from mili_core.training.bodies import LEAST_SHARE, body_examples
from mili_core.training.detection import find_candidates
from mili_core.training.initial import initial_model
from mili_core.training.loop import DivergedError, freeze_norms, train
from mili_core.training.step import Objective, Plan, Teacher
from mili_core.weights import save_weights

UNIT = LossWeights()
ALL = Plan("lr")  # both kinds of heads and no teacher


def some(*indices: int, twins: bool = False) -> Batch:
    return collate([ToyStream(twins=twins)[index] for index in indices])


def values(terms: LossTerms) -> dict[str, float]:
    return terms.values(UNIT)


@pytest.mark.parametrize("twins", [False, True])
def test_an_interrupted_training_continues_exactly(tmp_path: Path, twins: bool) -> None:
    def objective() -> Objective:
        return guided() if twins else Objective(ALL, supervision())

    stream = ToyStream(twins=twins)
    whole = train(fresh(), objective(), stream, SETTINGS, tmp_path / "whole", log=quiet)

    def stop_at_three(line: str) -> None:
        if line.startswith("step 3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(fresh(), objective(), stream, SETTINGS, tmp_path / "parts", log=stop_at_three)
    resumed = train(fresh(), objective(), stream, SETTINGS, tmp_path / "parts", log=quiet)
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=0, msg=name)
    one, two = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("whole", "parts"))
    assert one["memory"].keys() == two["memory"].keys()
    for name, value in one["memory"].items():
        torch.testing.assert_close(two["memory"][name], value, rtol=0, atol=0, msg=name)
    if twins:
        assert int(one["memory"]["count"]) == 5  # eight features went through a queue of five


def test_without_its_queue_a_training_would_not_continue_exactly(tmp_path: Path) -> None:
    """The queue matters, so that the test above can fail."""
    stream = ToyStream(twins=True)
    heavy = replace(LR, losses=replace(LR.losses, weights=replace(UNIT, contrastive=10.0)))
    whole = train(fresh(), guided(heavy), stream, SETTINGS, tmp_path / "whole", log=quiet)
    train(fresh(), guided(heavy), stream, replace(SETTINGS, steps=2), tmp_path / "parts", log=quiet)
    checkpoint = tmp_path / "parts" / "checkpoint.pt"
    stored = torch.load(checkpoint, weights_only=True)
    stored["settings"]["steps"] = SETTINGS.steps
    stored["memory"] = guided(heavy).memory.state_dict()
    torch.save(stored, checkpoint)
    resumed = train(fresh(), guided(heavy), stream, SETTINGS, tmp_path / "parts", log=quiet)
    assert any(not torch.equal(resumed[name], value) for name, value in whole.items())


def test_a_checkpoint_of_other_settings_plan_or_teacher_is_refused(tmp_path: Path) -> None:
    stream = ToyStream(twins=True)
    train(fresh(), guided(), stream, SETTINGS, tmp_path, log=quiet)
    with pytest.raises(ConfigError, match="has other lr"):
        train(fresh(), guided(), stream, replace(SETTINGS, lr=1e-5), tmp_path, log=quiet)
    other = Objective(LR, supervision(), Teacher.of(fresh(), "of another"))
    with pytest.raises(ConfigError, match="has other teacher"):
        train(fresh(), other, stream, SETTINGS, tmp_path, log=quiet)
    with pytest.raises(ConfigError, match="stage's plan"):
        train(fresh(), guided(replace(LR, sampling=Sampling(rois=8))), stream, SETTINGS, tmp_path, log=quiet)
    elsewhere = Objective(LR, supervision(), Teacher.of(lively(), "of a teacher"), {"data": "others"})
    with pytest.raises(ConfigError, match="has other data"):
        train(fresh(), elsewhere, stream, SETTINGS, tmp_path, log=quiet)
    train(fresh(), guided(), stream, replace(SETTINGS, log_every=7, workers=1), tmp_path, log=quiet)


def test_a_checkpoint_of_another_program_is_named(tmp_path: Path) -> None:
    torch.save({"weights": 1}, tmp_path / "checkpoint.pt")
    with pytest.raises(ConfigError, match=r"checkpoint.pt cannot be read; remove it"):
        train(fresh(), Objective(HR), ToyStream(), SETTINGS, tmp_path, log=quiet)


def test_weights_are_kept_at_each_checkpoint_and_the_log_tells_each_step_once(tmp_path: Path) -> None:
    kept: list[tuple[int, dict[str, torch.Tensor]]] = []

    def stop_at_three(line: str) -> None:
        if line.startswith("step 3"):
            raise KeyboardInterrupt

    def keep(averaged: dict[str, torch.Tensor], step: int, seconds: float) -> None:
        assert seconds > 0
        kept.append((step, averaged))

    with pytest.raises(KeyboardInterrupt):
        train(fresh(), Objective(HR), ToyStream(), SETTINGS, tmp_path, log=stop_at_three, keep=keep)
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 4, "sec')  # cut off
    last = train(fresh(), Objective(HR), ToyStream(), SETTINGS, tmp_path, log=quiet, keep=keep)
    assert [step for step, _ in kept] == [2, 4]
    assert all(torch.equal(kept[-1][1][name], value) for name, value in last.items())
    assert any(not torch.equal(kept[0][1][name], value) for name, value in last.items())
    assert [json.loads(row)["step"] for row in (tmp_path / "log.jsonl").read_text().splitlines()] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", 0), ("batch", 0), ("lr", float("nan")), ("lr", -1.0), ("checkpoint_every", 0), ("workers", -1),
     ("warmup", -5), ("average", 1.0), ("clip_norm", 0.0), ("weight_decay", float("inf")), ("seed", -1)],
)  # fmt: skip
def test_settings_that_cannot_be_are_named(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"training setting {name} is"):
        replace(SETTINGS, **{name: value})


def test_a_loss_that_is_not_finite_stops_and_names_the_batch(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"keypoints.*toy-4, toy-5.*intact.*--initial .*weights.safetensors"):
        train(fresh(), Objective(ALL, supervision()), ToyStream(poison=4), SETTINGS, tmp_path, log=quiet)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 2


def test_a_gradient_that_is_not_finite_stops_too(tmp_path: Path) -> None:
    class Steep(Objective):
        def terms(self, model: Mili, batch: Batch) -> LossTerms:
            weight = model.neck.laterals[0].weight
            return LossTerms(box=torch.sqrt((weight * 0.0).sum()))

    with pytest.raises(
        DivergedError, match=r"gradient is nan at step 0, images toy-0, toy-1; there is no checkpoint yet"
    ):
        train(fresh(), Steep(HR), ToyStream(), SETTINGS, tmp_path, log=quiet)


def test_every_part_of_the_network_learns() -> None:
    model = fresh().train()
    objective = Objective(ALL, supervision())
    total_loss(objective.terms(model, some(*range(6))), UNIT).backward()
    for name, parameter in model.named_parameters():
        if ("restoration" in name and "out" not in name) or name.startswith("attention.hr"):
            continue  # behind the zero convolution, which moves first; of the other branch
        assert parameter.grad is not None, name
    for part in (
        "attention.lr.conv.weight",
        "restoration.out.weight",
        "smpl_head.dec.weight",
        "mask_head.layers.0.weight",
    ):
        assert model.get_parameter(part).grad.abs().sum() > 0, part  # type: ignore[union-attr]


def test_the_hr_stage_leaves_the_parts_of_the_lr_branch_alone() -> None:
    model = fresh().train()
    terms = Objective(HR, supervision()).terms(model, some(*range(6)))
    total_loss(terms, UNIT).backward()
    assert terms.occlusion is terms.restoration is terms.contrastive is terms.roi is None
    still = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert {name.partition(".")[0] for name in still} == {"attention", "mask_head", "restoration"}
    assert "attention.hr.conv.weight" not in still


def test_renders_without_boxes_do_not_teach_detection() -> None:
    terms = values(Objective(ALL, supervision()).terms(fresh().train(), some(2, 5)))
    assert [terms[name] for name in ("objectness", "proposal_box", "person", "box", "occlusion")] == [0.0] * 5
    assert terms["pose"] > 0


def test_the_body_stage_moves_the_smpl_head_alone() -> None:
    model = fresh().train()
    terms = Objective(Plan("lr", "body"), supervision()).terms(model, some(*range(3)))
    total_loss(terms, UNIT).backward()
    moved = {name.partition(".")[0] for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert moved == {"smpl_head"}
    assert values(terms)["keypoints"] > 0


@pytest.mark.parametrize("attention", [False, True])
def test_frozen_stages_stay_as_they_are_and_the_attention_if_asked_to(tmp_path: Path, attention: bool) -> None:
    before = fresh().state_dict()
    settings = replace(SETTINGS, frozen_stages=2, frozen_attention=attention)
    after = train(fresh(), Objective(ALL, supervision()), ToyStream(), settings, tmp_path, log=quiet)
    moved = {name for name, value in before.items() if not torch.equal(after[name], value)}
    assert not [name for name in moved if name.startswith(("backbone.stem", "backbone.stages.0", "backbone.stages.1"))]
    assert ("attention.lr.conv.weight" in moved) is not attention
    assert [name for name in moved if name.startswith("backbone.stages.2")]


@pytest.mark.parametrize("stages", [-1, 8])
def test_more_stages_than_there_are_cannot_be_frozen(tmp_path: Path, stages: int) -> None:
    with pytest.raises(ConfigError, match="give 0 to 7"):
        train(fresh(), Objective(HR), ToyStream(), replace(SETTINGS, frozen_stages=stages), tmp_path, log=quiet)


def test_a_head_that_looks_for_no_joints_is_held_to_none() -> None:
    torch.manual_seed(1)
    model = Mili(replace(TINY, body_features="mean")).train()
    terms = values(Objective(ALL, supervision()).terms(model, some(*range(3))))
    assert terms["joint_maps"] == terms["joint_places"] == 0.0 < terms["pose"]
    terms = values(Objective(ALL, supervision()).terms(fresh().train(), some(*range(3))))
    assert min(terms["joint_maps"], terms["joint_places"]) > 0.0


def test_an_smpl_head_of_another_kind_starts_anew(tmp_path: Path) -> None:
    config = replace(TINY, body_features="mean")
    earlier = Mili(config)
    torch.nn.init.ones_(earlier.smpl_head.fc2.bias)
    path = tmp_path / "w.safetensors"
    save_weights(path, earlier, config, body_name="open", body_sha256="", score_threshold=0.5, notes={})
    for wanted, kept in ((config, True), (TINY, False)):
        model = initial_model(wanted, 0, path)
        assert torch.equal(model.neck.laterals[0].weight, earlier.neck.laterals[0].weight.half().float())
        assert bool((model.smpl_head.fc2.bias == 1).all()) is kept


def test_what_a_first_look_makes_of_likely_proposals_is_a_candidate_where_there_is_a_second() -> None:
    batch = some(0, 1)
    ends = torch.tensor([(width, height) for height, width in batch.sizes], dtype=torch.float32)

    def candidates(passes: int, bias: float) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        torch.manual_seed(0)
        model = lively().eval()
        model.config = replace(model.config, box_passes=passes)
        torch.nn.init.constant_(model.box_head.logits.bias, 0.0)
        model.box_head.logits.bias.data[1] = bias
        with torch.no_grad():
            levels = model.features(normalise(batch, model.config.pixel_mean, model.config.pixel_std))
            output = model.proposals(levels)
            found = find_candidates(levels, output, model, batch, Sampling()).rois
            proposals = propose(output, batch.sizes, model.config)
            index = torch.cat([torch.full((len(one),), image) for image, one in enumerate(proposals)])
            looks = model.look(levels, torch.cat(proposals), index, ends[index])[1]
        return found, [looks[index == image] for image in range(len(proposals))]

    once, _ = candidates(1, bias=9.0)
    twice, looks = candidates(3, bias=9.0)
    unlikely, _ = candidates(3, bias=-9.0)
    for image in range(len(once)):
        seen = looks[image][(looks[image][:, 2:] - looks[image][:, :2] > 1.0).all(dim=1)]
        assert len(seen)
        torch.testing.assert_close(twice[image], torch.cat((once[image], seen)))
        torch.testing.assert_close(unlikely[image], once[image])


def test_body_rois_are_true_boxes_then_proposals_and_count_by_what_is_seen() -> None:
    batch = some(0, 2)
    examples = body_examples(batch, None, Sampling(body_rois=5))
    assert examples.image_index.tolist() == [0, 0, 1, 1]
    assert examples.posed.tolist() == [False, False, True, True]
    assert examples.share.tolist() == pytest.approx([1.0, 1.0, 1.0, 0.3 / 0.7])
    moved = (examples.boxes[:2] - batch.targets[0].boxes).abs()
    assert 0.0 < float(moved.max()) < 0.5 * 57
    assert (examples.points[2, :17] == 0).all()
    assert (examples.points[2, 17:, 2] == 1).all()
    unseen = replace(batch.targets[1], visible_fraction=torch.zeros(2))
    hidden = body_examples(replace(batch, targets=(batch.targets[0], unseen)), None, Sampling())
    assert hidden.share[-1] == pytest.approx(LEAST_SHARE)
    tiny = replace(batch.targets[1], boxes=torch.tensor([[0.0, 0, 4, 50], [0, 0, 20, 50]]))
    kept = body_examples(replace(batch, targets=(batch.targets[0], tiny)), None, Sampling())
    assert kept.people.tolist() == [0, 1, 1]


def test_norms_of_the_smpl_head_learn_from_eight_rois_on() -> None:
    for images, learns in (((2, 5, 8), False), ((2, 5, 8, 11), True)):
        model = fresh()
        freeze_norms(model)
        before = model.smpl_head.joints.hourglass.down[0][1].running_mean.clone()
        Objective(Plan("lr", "body"), supervision()).terms(model, some(*images))
        assert bool((model.smpl_head.joints.hourglass.down[0][1].running_mean != before).any()) is learns
        assert model.smpl_head.joints.hourglass.down[0][1].training


def test_the_tune_stage_adds_interpenetration_and_order() -> None:
    tune = Plan("lr", losses=LossSettings(TUNE_WEIGHTS, volume_cells=6))
    model = fresh().train()
    objective = Objective(tune, supervision())
    terms = objective.terms(model, some(0, 1, 2))
    assert terms.interpenetration is not None
    assert terms.depth_order is not None
    total = total_loss(terms, objective.weights)
    assert torch.isfinite(total)
    total.backward()


def test_padding_is_zero_after_normalisation() -> None:
    small = replace(ToyStream()[0], image=np.full((32, 40, 3), 255, dtype=np.uint8))
    images = normalise(collate([ToyStream()[1], small]), (127.0,) * 3, (128.0,) * 3)
    assert images[1, :, 32:].abs().max() == 0
    assert images[1, :, :, 40:].abs().max() == 0
    assert torch.allclose(images[1, :, :32, :40], torch.tensor(1.0))


def test_the_parts_of_the_network_have_their_own_pace(tmp_path: Path) -> None:
    settings = replace(SETTINGS, steps=1, lr=3e-3, backbone_lr=2e-3, body_lr=1e-3)
    train(fresh(), Objective(HR, supervision()), ToyStream(), settings, tmp_path, log=quiet)
    groups = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["optimiser"]["param_groups"]
    assert {group["peak"] for group in groups} == {3e-3, 2e-3, 1e-3}


def test_a_few_steps_reduce_the_loss(tmp_path: Path) -> None:
    lines: list[str] = []
    settings = replace(SETTINGS, steps=30, lr=3e-3, backbone_lr=1e-3, warmup=3, checkpoint_every=30)
    train(fresh(), Objective(HR), ToyStream(), settings, tmp_path, log=lines.append)
    first, last = (float(line.split("objectness ")[1].split()[0]) for line in (lines[0], lines[-1]))
    assert last < 0.7 * first


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_both_stages_run_on_a_gpu(tmp_path: Path) -> None:
    device, settings = torch.device("cuda"), replace(SETTINGS, amp="bf16")
    train(fresh(), Objective(HR, supervision()), ToyStream(), settings, tmp_path / "hr", log=quiet, device=device)
    stream = ToyStream(twins=True)
    averaged = train(fresh(), guided(), stream, settings, tmp_path / "lr", log=quiet, device=device)
    assert all(value.device.type == "cpu" for value in averaged.values())
