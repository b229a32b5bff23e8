"""L_cs (paper eq. 3) and its queue: a slow twin, closed forms, scenes, exact resume, numbers that overflow."""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mili_core.losses.contrastive import (
    GAMMA,
    NO_SCENE,
    QUEUE_LENGTH,
    SCENES,
    FeatureQueue,
    contrastive_loss,
    scene_keys,
    unit,
)

Entry = tuple[np.ndarray, int]


def slow_loss(student: np.ndarray, teacher: np.ndarray, scenes: list[int], queue: list[Entry], gamma: float) -> float:
    """Equation 3 with loops; exponents relative to the largest, so that float64 holds them."""

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt((a @ a) * (b @ b)))

    total = 0.0
    for low, high, scene in zip(student, teacher, scenes, strict=True):
        positive = cosine(high, low) / gamma
        exponents = [positive] + [cosine(q, low) / gamma for q, other in queue if other != scene]
        top = max(exponents)
        total += top + math.log(sum(math.exp(e - top) for e in exponents)) - positive
    return total / len(student)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def alone(scenes: list[int] | Tensor) -> Tensor:
    """Numbers of images that show one scene each."""
    return torch.as_tensor(scenes)[:, None]


def filled_queue(length: int, channels: int, scenes: list[int]) -> tuple[FeatureQueue, list[Entry]]:
    queue, kept = FeatureQueue(channels, length), deque[Entry](maxlen=length)
    for step, scene in enumerate(scenes):
        feature = random(1, channels, seed=100 + step) * 3
        queue.push(feature, alone([scene]))
        kept.append((feature[0].double().numpy(), scene))
    return queue, list(kept)


@pytest.mark.parametrize("pushed", [0, 3, 7, 20])
@pytest.mark.parametrize("gamma", [GAMMA, 1.0])
def test_agrees_with_the_slow_twin(pushed: int, gamma: float) -> None:
    queue, kept = filled_queue(7, 16, [number % 4 for number in range(pushed)])
    student, teacher, scenes = random(5, 16, seed=1), random(5, 16, seed=2), [0, 1, 2, 3, 9]
    loss = contrastive_loss(student, teacher, alone(scenes), queue, gamma)
    slow = slow_loss(student.double().numpy(), teacher.double().numpy(), scenes, kept, gamma)
    assert loss.item() == pytest.approx(slow, rel=1e-4, abs=1e-5)


def test_closed_form_of_orthogonal_negatives() -> None:
    queue = FeatureQueue(4, 8)
    queue.push(torch.eye(4)[1:], alone([1, 2, 3]))
    student = torch.eye(4)[:1]
    loss = contrastive_loss(student, 2 * student, alone([0]), queue, 1.0)
    assert loss.item() == pytest.approx(math.log(1 + 3 / math.e), rel=1e-6)


def test_the_papers_numbers_are_the_defaults() -> None:
    assert (GAMMA, QUEUE_LENGTH) == (0.01, 400)
    assert FeatureQueue(8).features.shape == (400, 8)


def test_features_of_the_same_scene_take_no_part() -> None:
    queue = FeatureQueue(4, 4)
    queue.push(torch.eye(4), alone([5, 5, 6, 5]))
    student = torch.eye(4)[:2]
    opposite = -student
    same = contrastive_loss(student[:1], opposite[:1], alone([5]), queue)
    assert same.item() == pytest.approx(100.0, rel=1e-5)  # against the one of scene 6 only: cos 0 against cos -1
    other = contrastive_loss(student[:1], opposite[:1], alone([7]), queue)
    assert other.item() == pytest.approx(200.0, rel=1e-5)  # against itself, too


def test_a_queue_of_the_same_scene_only_costs_nothing() -> None:
    queue = FeatureQueue(4, 4)
    queue.push(torch.eye(4), alone([5] * 4))
    assert contrastive_loss(torch.eye(4), -torch.eye(4), alone([5] * 4), queue).item() == 0.0


def test_gradients_reach_the_student_only_and_turn_it_to_the_teacher() -> None:
    queue, _ = filled_queue(6, 8, [1, 2, 3])
    student, teacher = random(2, 8, seed=3).requires_grad_(), random(2, 8, seed=4).requires_grad_()
    scenes = alone([7, 8])
    before = contrastive_loss(student, teacher, scenes, queue, 0.5)
    before.backward()
    assert teacher.grad is None
    assert student.grad is not None
    assert torch.all(student.grad.abs().sum(dim=1) > 0)
    after = contrastive_loss((student - 0.1 * student.grad).detach(), teacher, scenes, queue, 0.5)
    assert after < before


def test_a_push_before_the_backward_pass_changes_no_gradient() -> None:
    gradients = []
    for early in (False, True):
        queue, _ = filled_queue(6, 8, [1, 2, 3])
        student, scenes = random(2, 8, seed=3).requires_grad_(), alone([7, 8])
        loss = contrastive_loss(student, random(2, 8, seed=4), scenes, queue, 0.5)
        if early:
            queue.push(student, scenes)
        loss.backward()
        gradients.append(student.grad)
    assert torch.equal(*gradients)


def test_gradient_agrees_with_finite_differences() -> None:
    queue, kept = filled_queue(6, 5, [1, 2, 3])
    student, teacher = random(2, 5, seed=3).requires_grad_(), random(2, 5, seed=4)
    contrastive_loss(student, teacher, alone([1, 8]), queue, 0.3).backward()
    assert student.grad is not None
    point = student.detach().double().numpy()
    for index in np.ndindex(2, 5):
        values = []
        for step in (1e-5, -1e-5):
            moved = point.copy()
            moved[index] += step
            values.append(slow_loss(moved, teacher.double().numpy(), [1, 8], kept, 0.3))
        assert float(student.grad[index]) == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-3, abs=1e-5)


def test_the_queue_is_first_in_first_out_and_keeps_no_gradient() -> None:
    queue = FeatureQueue(3, 5)
    twin = deque[tuple[float, int]](maxlen=5)
    pushed = 0
    for size in (2, 2, 3, 0, 1, 9):  # 9 is more than fits
        features = torch.zeros(size, 3)
        numbers = torch.arange(pushed, pushed + size)
        features[:, 0], features[:, 1] = 1.0, 0.1 * numbers
        queue.push(features.requires_grad_(), alone(numbers))
        twin.extend((0.1 * number, number) for number in numbers.tolist())
        pushed += size
        count = int(queue.count)
        assert count == len(twin)
        held = {
            int(queue.scenes[row, 0]): float(queue.features[row, 1] / queue.features[row, 0]) for row in range(count)
        }
        assert held == {scene: pytest.approx(slope, abs=1e-5) for slope, scene in twin}
    assert not queue.features.requires_grad


def test_resumes_exactly(tmp_path: Path) -> None:
    def run(queue: FeatureQueue, steps: range) -> list[float]:
        values = []
        for step in steps:
            student, teacher = random(3, 6, seed=step), random(3, 6, seed=1000 + step)
            scenes = alone([step % 4, 5, step])
            values.append(contrastive_loss(student, teacher, scenes, queue).item())
            queue.push(student, scenes)
        return values

    whole = FeatureQueue(6, 8)
    expected = run(whole, range(10))
    first = FeatureQueue(6, 8)
    run(first, range(4))
    torch.save(first.state_dict(), tmp_path / "queue.pt")
    second = FeatureQueue(6, 8)
    second.load_state_dict(torch.load(tmp_path / "queue.pt", weights_only=True))
    assert run(second, range(4, 10)) == expected[4:]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_a_queue_of_another_size_is_refused() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        FeatureQueue(6, 8).load_state_dict(FeatureQueue(7, 8).state_dict())


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1.0, 1e30, 3e38])
def test_finite_for_identical_tiny_and_huge_features(scale: float) -> None:
    queue = FeatureQueue(4, 4)
    queue.push(torch.full((4, 4), scale), alone(torch.arange(4)))
    student = torch.full((3, 4), scale, requires_grad=True)
    loss = contrastive_loss(student, torch.full((3, 4), -scale), alone([9, 9, 9]), queue)
    loss.backward()
    assert torch.isfinite(loss)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()
    assert torch.isfinite(queue.features).all()


def test_float32_under_autocast() -> None:
    queue, _ = filled_queue(50, 64, list(range(50)))
    student, teacher, scenes = random(4, 64, seed=1), random(4, 64, seed=2), alone(torch.arange(4))
    expected = contrastive_loss(student, teacher, scenes, queue)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = contrastive_loss(student, teacher, scenes, queue)
    assert loss.dtype == torch.float32
    assert loss.item() == expected.item()
    halved = contrastive_loss(student.bfloat16(), teacher.bfloat16(), scenes, queue)
    assert torch.isfinite(halved)
    assert halved.dtype == torch.float32


def test_no_images_cost_nothing_and_may_be_differentiated() -> None:
    student = torch.zeros(0, 4, requires_grad=True)
    loss = contrastive_loss(student, torch.zeros(0, 4), alone(torch.zeros(0, dtype=torch.int64)), FeatureQueue(4, 4))
    loss.backward()
    assert loss.item() == 0.0


def test_unit_rows() -> None:
    rows = unit(torch.tensor([[3.0, 4.0], [0.0, 0.0], [3e38, 0.0]]))
    assert torch.allclose(rows, torch.tensor([[0.6, 0.8], [0.0, 0.0], [1.0, 0.0]]))


def test_scene_keys_are_fixed_and_differ() -> None:
    assert scene_keys(["photos/17"]) == [7993513218863557179] + [NO_SCENE] * (SCENES - 1)
    assert scene_keys(["photos/18", "photos/17"])[:2] == [scene_keys(["photos/18"])[0], 7993513218863557179]
    assert len(scene_keys([str(number) for number in range(40)])) == SCENES


def test_canvases_that_share_one_of_their_scenes_take_no_part() -> None:
    queue = FeatureQueue(4, 4)
    queue.push(torch.eye(4), torch.tensor([[1, 2], [3, 4], [5, NO_SCENE], [6, 2]]))
    student, scenes = torch.eye(4)[:1], torch.tensor([[2, 3, NO_SCENE]])
    loss = contrastive_loss(student, -student, scenes, queue)
    assert loss.item() == pytest.approx(100.0, rel=1e-5)  # the image of scene 5 alone is left: cos 0 against cos -1
