"""The LR stage: the teacher stays as it is, the student gets every term, switches take parts out."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_training import LR, SETTINGS, TINY, ToyStream, guided, lively, supervision

from mili_core.config import MILI_LITE, MILI_R50, ModelConfig
from mili_core.errors import ConfigError
from mili_core.losses.contrastive import FeatureQueue
from mili_core.losses.settings import LossSettings, LossWeights
from mili_core.losses.total import total_loss
from mili_core.nets.mili import Mili
from mili_core.training.batch import Batch, collate
from mili_core.training.guidance import teach
from mili_core.training.initial import initial_model, read_teacher, student_of
from mili_core.training.loop import freeze_norms, train
from mili_core.training.stages import Recipe
from mili_core.training.step import Objective, Plan, Teacher
from mili_core.weights import save_tensors, save_weights

GUIDANCE = ("contrastive", "roi", "occlusion", "restoration")


def pairs(*indices: int) -> Batch:
    return collate([ToyStream(twins=True)[index] for index in indices])


def awake() -> Mili:
    """Gives a lively model in the mode that it is trained in."""
    model = lively()
    freeze_norms(model)
    return model


def test_the_student_gets_every_term_and_the_teacher_no_gradient() -> None:
    teacher, student = lively(), awake()
    objective = Objective(LR, supervision(), Teacher.of(teacher, "t"))
    objective.terms(student, pairs(0, 1))  # fills the queue
    terms = objective.terms(student, pairs(3, 4, 5))
    found = terms.values(LossWeights())
    assert all(found[name] > 0 for name in GUIDANCE), found
    before = deepcopy(teacher.state_dict())
    total_loss(terms, LossWeights()).backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert not teacher.training
    for name, value in teacher.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["contrastive", "roi", "restoration"])
def test_each_term_of_guidance_reaches_the_students_backbone(name: str) -> None:
    objective, student = guided(), awake()
    objective.terms(student, pairs(0, 1))
    term = getattr(objective.terms(student, pairs(3, 4)), name)
    (gradient,) = torch.autograd.grad(term, student.backbone.stem[0].weight)
    assert float(gradient.abs().sum()) > 0


def test_a_student_that_sees_what_its_teacher_sees_has_nothing_to_learn_from_it() -> None:
    """Same weights, same image, both attentions the identity: L_RoI and L_res are 0."""
    sharp = [replace(ToyStream(twins=True)[i], image=ToyStream(twins=True)[i].image_hr) for i in range(2)]
    student = lively().eval()
    terms = guided().terms(student, collate(sharp))
    assert terms.restoration.item() == pytest.approx(0.0, abs=1e-9)
    assert terms.roi.item() == pytest.approx(0.0, abs=1e-6)
    blurred = guided().terms(student, pairs(0, 1))
    assert blurred.restoration.item() > 1e-6
    assert blurred.roi.item() > 1e-6


def test_the_queue_holds_the_students_unrestored_features() -> None:
    objective, student = guided(), awake()
    with torch.no_grad():
        student.restoration.out.bias.fill_(100.0)
    objective.terms(student, pairs(0, 1))
    queue = objective.memory
    assert isinstance(queue, FeatureQueue)
    assert int(queue.count) == 2
    other, plain = guided(), awake()
    other.terms(plain, pairs(0, 1))
    torch.testing.assert_close(queue.features, other.memory.features)
    assert queue.scenes[:2].tolist() == pairs(0, 1).scenes.tolist()


def test_the_lesson_is_of_the_sharp_image_and_the_teachers_hr_branch() -> None:
    batch, teacher = pairs(0, 1), lively().eval()
    lesson = teach(teacher, batch, LR.sampling, "boxes")
    assert len(lesson.rois) == len(lesson.answer) == len(lesson.image_index) > 0
    assert not lesson.top.requires_grad
    sharp = replace(batch, images=batch.images_hr)
    torch.testing.assert_close(teach(teacher, sharp, LR.sampling, "boxes").top, lesson.top)
    with torch.no_grad():
        teacher.attention["lr"].conv.weight.fill_(1.0)
    torch.testing.assert_close(teach(teacher, batch, LR.sampling, "boxes").top, lesson.top)
    with torch.no_grad():
        teacher.attention["hr"].conv.weight.fill_(0.1)
    assert not torch.allclose(teach(teacher, batch, LR.sampling, "boxes").top, lesson.top)


def test_roi_features_are_the_other_reading_of_equation_4() -> None:
    plan = replace(LR, losses=LossSettings(roi_term="features"))
    terms = guided(plan).terms(awake(), pairs(0, 1))
    assert float(terms.roi) > 0


def test_switches_take_parts_out() -> None:
    def run(config: ModelConfig = TINY, plan: Plan = LR) -> dict[str, float]:
        torch.manual_seed(0)
        student = student_of(lively(), config, 0)
        freeze_norms(student)
        objective = Objective(plan, supervision(), Teacher.of(lively(), "t"))
        objective.terms(student, pairs(0, 1))
        return objective.terms(student, pairs(3, 4)).values(LossWeights())

    assert all(run()[name] > 0 for name in GUIDANCE)
    without = run(replace(TINY, mask_network=False))
    assert without["occlusion"] == 0.0 < without["restoration"]
    without = run(replace(TINY, restoration=False))
    assert without["restoration"] == 0.0 < without["occlusion"]
    none = replace(LR.losses, weights=replace(LossWeights(), contrastive=0.0))
    without = run(plan=replace(LR, losses=none))
    assert without["contrastive"] == 0.0 < without["roi"]
    aux = run(replace(TINY, restoration_use="aux"))
    assert aux["restoration"] > 0


def test_a_student_starts_as_its_teacher() -> None:
    teacher = lively()
    with torch.no_grad():
        teacher.attention["hr"].conv.weight.normal_()
        teacher.mask_head.layers[0].weight.fill_(9.0)
    student = student_of(teacher, TINY, 1).eval()
    torch.testing.assert_close(student.attention["lr"].conv.weight, teacher.attention["hr"].conv.weight)
    torch.testing.assert_close(student.smpl_head.dec.weight, teacher.smpl_head.dec.weight)
    assert float(student.mask_head.layers[0].weight.max()) < 9.0
    assert float(student.restoration.out.weight.abs().sum()) == 0.0
    batch = collate([ToyStream()[0]])
    images = batch.images.float()
    torch.testing.assert_close(student.features(images, "lr")[-1], teacher.features(images, "hr")[-1])


def test_an_older_teacher_without_hr_attention_has_a_student_all_the_same() -> None:
    torch.manual_seed(0)
    teacher = Mili(replace(TINY, attention=("lr",)))
    student = student_of(teacher, TINY, 1)
    torch.testing.assert_close(student.neck.laterals[0].weight, teacher.neck.laterals[0].weight)


def test_stages_say_which_branch_and_what_they_need() -> None:
    assert Recipe("hr").trained_branch == "hr"
    assert Recipe("lr", teacher=Path("t")).trained_branch == "lr"
    assert Recipe("body", branch="lr").plan == Plan("lr", "body", LossSettings())
    bare = Recipe("lr", teacher=Path("t"), mask_network=False, restoration=False, contrastive=False)
    assert (bare.model_config.mask_network, bare.model_config.restoration) == (False, False)
    assert bare.plan.losses.weights.contrastive == 0.0
    assert Recipe("hr").model_config == MILI_LITE
    with pytest.raises(ConfigError, match="needs --teacher"):
        Recipe("lr")
    with pytest.raises(ConfigError, match="has no teacher"):
        Recipe("hr", teacher=Path("t"))
    with pytest.raises(ConfigError, match="LR branch only"):
        Objective(Plan("hr"), teacher=Teacher.of(lively(), "t"))
    with pytest.raises(ConfigError, match="without a body"):
        Objective(Plan("lr", "body"))


@pytest.mark.parametrize("people", [0, 2])
def test_a_step_without_anybody_to_learn_from_is_finite_in_bfloat16(people: int) -> None:
    """Images that show nobody, or people of whom neither outline nor keypoints are known."""
    objective, student = guided(), awake()
    samples = [
        replace(
            ToyStream(twins=True)[index],
            boxes_xyxy=ToyStream()[index].boxes_xyxy[:people],
            polygons=(None,) * people,
            keypoints=np.zeros((people, 17, 3), dtype=np.float32),
        )
        for index in range(2)
    ]
    objective.terms(student, pairs(3, 4))  # fills the queue
    with torch.autocast("cpu", torch.bfloat16):
        terms = objective.terms(student, collate(samples))
    found = terms.values(LossWeights())
    assert all(math.isfinite(value) for value in found.values()), found
    assert found["objectness"] > 0.0
    assert found["keypoints"] == found["occlusion"] == 0.0
    total_loss(terms, LossWeights()).backward()
    gradients = [parameter.grad for parameter in student.parameters() if parameter.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_guided_steps_bring_the_student_closer_in_bfloat16_too(tmp_path: Path) -> None:
    lines: list[str] = []
    settings = replace(SETTINGS, steps=8, lr=3e-3, backbone_lr=1e-3, warmup=1, checkpoint_every=8, amp="bf16")
    train(student_of(lively(), TINY, 0), guided(), ToyStream(twins=True), settings, tmp_path, log=lines.append)
    losses = [float(line.split("restoration ")[1].split()[0]) for line in lines]
    assert sum(losses[-2:]) < 0.8 * sum(losses[:2])


def test_a_teacher_is_a_whole_model_of_this_kind_that_was_trained_on_sharp_images(tmp_path: Path) -> None:
    def saved(config: ModelConfig = TINY, **notes: str) -> Path:
        path = tmp_path / "teacher.safetensors"
        save_weights(path, Mili(config), config, body_name="toy", body_sha256="0", score_threshold=0.5, notes=notes)
        return path

    assert read_teacher(saved(stage="hr", branch="hr"), TINY).config == TINY
    assert read_teacher(saved(), replace(TINY, mask_network=False)).config == TINY
    with pytest.raises(ConfigError, match="trained in stage detection of branch lr"):
        read_teacher(saved(stage="detection", branch="lr"), TINY)
    with pytest.raises(ConfigError, match="train stage hr for tiny"):
        read_teacher(saved(replace(TINY, name="wide", fpn_channels=16)), TINY)
    backbone = {name: value for name, value in Mili(TINY).state_dict().items() if name.startswith("backbone.")}
    path = tmp_path / "backbone.safetensors"
    save_tensors(path, backbone, TINY, body_name="", body_sha256="", score_threshold=0.5, notes={}, holds="backbone")
    with pytest.raises(ConfigError, match="holds a backbone alone"):
        read_teacher(path, TINY)


def test_the_papers_backbone_does_not_start_from_chance() -> None:
    with pytest.raises(ConfigError, match="mili_r50 needs weights to start from; give --initial"):
        initial_model(MILI_R50, 0)


def test_guidance_is_over_background_rois_too() -> None:
    lesson = teach(lively().eval(), pairs(0, 1), LR.sampling, "boxes")
    assert (torch.bincount(lesson.image_index) > LR.sampling.rois * LR.sampling.roi_positives).all()
