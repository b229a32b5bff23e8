"""The line through people's heights: found among strangers, slanted for rolled cameras, refused where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.ground import (
    LEAST_PEOPLE,
    GroundFit,
    HeightLine,
    feet_of,
    fit_ground,
    height_errors,
    off_share,
    on_line,
)
from pipeline.types import Float64Array


def crowd(
    rng: np.random.Generator, people: int, per_x: float = 0.0, per_y: float = 0.2, offset: float = -700.0
) -> tuple[Float64Array, Float64Array]:
    """Gives the feet (N, 2) and heights (N,) of people of a 20,000 x 10,000 frame, a tenth more or less tall."""
    feet = rng.uniform((0, 4500), (20_000, 10_000), (people, 2))
    return feet, (feet @ (per_x, per_y) + offset) * np.exp(rng.normal(0.0, 0.06, people))


def only(fit: GroundFit) -> HeightLine:
    (line,) = fit.lines
    return line


def assert_near(line: HeightLine, feet: Float64Array, expected: Float64Array, share: float = 0.05) -> None:
    np.testing.assert_allclose(line.heights(feet), expected, rtol=share)


def test_a_line_is_found_and_told() -> None:
    feet, heights = crowd(np.random.default_rng(0), 200)
    line = only(fit_ground(feet, heights))
    assert_near(line, feet, feet[:, 1] * 0.2 - 700.0)
    assert line.per_x == 0.0
    assert line.tilt == 0.0
    assert line.log_sigma == pytest.approx(0.06, abs=0.02)
    assert line.people >= 198
    assert line.share == line.people / 200
    assert on_line(line, feet, heights).shape == (200,)


def test_strangers_do_not_bend_it() -> None:
    rng = np.random.default_rng(1)
    feet, heights = crowd(rng, 200)
    strangers = rng.choice(200, 70, replace=False)
    heights[strangers] = np.exp(rng.uniform(np.log(40), np.log(3000), 70))
    fit = fit_ground(feet, heights)
    assert_near(fit.lines[0], feet, feet[:, 1] * 0.2 - 700.0)
    assert 0.65 <= fit.lines[0].share <= 0.8


@pytest.mark.parametrize("degrees", [-20.0, -5.0, 5.0, 20.0])
def test_a_rolled_camera_has_a_slanted_line(degrees: float) -> None:
    slant = float(np.tan(np.radians(degrees)))
    feet, heights = crowd(np.random.default_rng(2), 300, per_x=0.2 * slant, offset=1000.0 if degrees < 0 else -300.0)
    line = only(fit_ground(feet, heights))
    assert line.tilt == pytest.approx(slant, abs=0.02)
    assert_near(line, feet, feet @ (0.2 * slant, 0.2) + (1000.0 if degrees < 0 else -300.0))


def test_two_grounds_are_two_lines() -> None:
    rng = np.random.default_rng(3)
    feet, heights = crowd(rng, 150)
    balcony = rng.uniform((12_000, 2000), (18_000, 2600), (80, 2))
    fit = fit_ground(np.concatenate([feet, balcony]), np.concatenate([heights, rng.normal(900, 40, 80)]))
    assert len(fit.lines) == 2
    assert fit.share > 0.95
    assert_near(fit.lines[1], balcony, np.full(80, 900.0), share=0.1)
    assert fit.lines[0].share + fit.lines[1].share == pytest.approx(fit.share, abs=0.05)


@pytest.mark.parametrize("people", [0, 1, 5, LEAST_PEOPLE - 1])
def test_few_people_are_no_line(people: int) -> None:
    feet, heights = crowd(np.random.default_rng(4), people)
    fit = fit_ground(feet, heights)
    assert (fit.lines, fit.people, fit.share) == ((), people, 0.0)
    assert fit.reason == f"{people} people, a line needs {LEAST_PEOPLE}"
    assert off_share((), feet, heights) == (1.0 if people else 0.0)


def test_heights_without_a_rule_are_no_line() -> None:
    rng = np.random.default_rng(5)
    feet = rng.uniform((0, 0), (20_000, 10_000), (150, 2))
    fit = fit_ground(feet, np.exp(rng.uniform(np.log(50), np.log(4000), 150)))
    assert fit.lines == ()
    assert "obey a line" in fit.reason


def test_a_camera_on_its_side_is_refused() -> None:
    feet, heights = crowd(np.random.default_rng(6), 200, per_x=0.2, per_y=0.02, offset=200.0)
    fit = fit_ground(feet, heights)
    assert fit.lines == ()
    assert "sideways" in fit.reason


def test_degenerate_places_give_a_usable_line_or_none() -> None:
    rng = np.random.default_rng(7)
    heights = rng.normal(300.0, 10.0, 40)
    row = np.stack([rng.uniform(0, 9000, 40), np.full(40, 5000.0)], axis=1)  # all on one row
    point = np.full((40, 2), 5000.0)  # all at one point
    above = np.stack([rng.uniform(0, 9000, 40), rng.uniform(0, 9000, 40)], axis=1)  # seen from straight above
    for feet in (row, point, above):
        line = only(fit_ground(feet, heights))
        assert_near(line, feet, np.full(40, 300.0), share=0.1)
        assert line.per_y >= 0.0
        assert np.isfinite([line.per_x, line.per_y, line.offset]).all()


def test_the_order_of_people_plays_no_part() -> None:
    rng = np.random.default_rng(8)
    feet, heights = crowd(rng, 120)
    order = rng.permutation(120)
    assert fit_ground(feet[order], heights[order]) == fit_ground(feet, heights)


def test_feet_and_the_tolerance_from_both_sides() -> None:
    boxes = np.array([[10.0, 20.0, 30.0, 120.0]])
    np.testing.assert_array_equal(feet_of(boxes), [[20.0, 120.0]])
    line = HeightLine(0.0, 0.0, 100.0, 0.1, 1, 1.0)
    feet, heights = np.zeros((4, 2)), np.array([124.9, 125.1, 80.1, 79.9])
    assert on_line(line, feet, heights).tolist() == [True, False, True, False]
    assert off_share((line,), feet, heights) == 0.5
    horizon = HeightLine(0.0, 0.2, -700.0, 0.1, 1, 1.0)
    assert not on_line(horizon, np.array([[0.0, 3000.0]]), np.array([100.0])).any()


FRAME = (20_000, 15_000)


def group(rng: np.random.Generator, far_y: float, near_y: float, spread: float) -> tuple[Float64Array, Float64Array]:
    """Gives the feet and heights of 30 people between two rows, on a ground whose horizon is row 2,000."""
    feet = rng.uniform((2000, far_y), (18_000, near_y), (30, 2))
    return feet, (feet[:, 1] - 2000.0) * 0.06 * np.exp(rng.normal(0.0, spread, 30))


@pytest.mark.parametrize("spread", [0.0, 0.03, 0.08])
@pytest.mark.parametrize("seed", range(5))
def test_a_tight_group_says_nothing_of_the_rest_of_the_frame(spread: float, seed: int) -> None:
    for rows in ((3000.0, 3100.0), (14_000.0, 14_100.0)):
        feet, heights = group(np.random.default_rng(seed), *rows, spread)
        assert fit_ground(feet, heights).lines, "nothing but the distance speaks against it"
        fit = fit_ground(feet, heights, FRAME)
        assert fit.lines == ()
        assert fit.people == 30
        assert fit.share > 0.9
        assert "close together" in fit.reason
        assert "elsewhere" in fit.reason


def test_people_of_one_height_in_a_far_band_are_no_ground() -> None:
    feet, _ = group(np.random.default_rng(0), 3000.0, 3100.0, 0.0)
    assert fit_ground(feet, np.full(30, 60.0), FRAME).lines == ()


@pytest.mark.parametrize("seed", range(5))
def test_as_many_people_in_depth_are_a_ground(seed: int) -> None:
    feet, heights = group(np.random.default_rng(seed), 3000.0, 9000.0, 0.08)
    line = only(fit_ground(feet, heights, FRAME))
    assert line == only(fit_ground(feet, heights))
    above = np.stack([feet[:, 0], np.linspace(500.0, 14_500.0, 30)], axis=1)  # seen from straight above
    assert only(fit_ground(above, np.full(30, 300.0), FRAME)).per_y == pytest.approx(0.0, abs=1e-6)


def test_errors_are_what_lines_of_other_crowds_are_off_by() -> None:
    places = np.array([[0.0, 3000.0], [10_000.0, 8000.0], [20_000.0, 15_000.0]])
    found = []
    for seed in range(200):
        feet, heights = group(np.random.default_rng(seed), 3000.0, 7000.0, 0.08)
        line = only(fit_ground(feet, heights))
        if not line.per_x:
            found.append(
                (line.heights(places) - (places[:, 1] - 2000.0) * 0.06) / height_errors(line, feet, heights, places)
            )
    assert len(found) > 100
    np.testing.assert_allclose(np.std(found, axis=0), 1.0, atol=0.35)


def test_one_row_says_nothing_of_others() -> None:
    rng = np.random.default_rng(9)
    feet = np.stack([rng.uniform(0, 9000, 40), np.full(40, 5000.0)], axis=1)
    heights = rng.normal(300.0, 10.0, 40)
    here, there = height_errors(
        only(fit_ground(feet, heights)), feet, heights, np.array([[1.0, 5000.0], [1.0, 6000.0]])
    )
    assert here < 5.0
    assert there > 300.0
    assert height_errors(HeightLine(0.0, 0.1, 0.0, 0.1, 0, 0.0), feet[:0], heights[:0], feet).shape == (40,)
