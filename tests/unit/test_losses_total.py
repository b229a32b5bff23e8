"""The composition (paper eq. 2) and the settings of the losses."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch

from mili_core.errors import ConfigError
from mili_core.losses.settings import (
    BODY_TERMS,
    CRMH_WEIGHTS,
    LITE_BODY_SHARE,
    TUNE_WEIGHTS,
    LossSettings,
    LossWeights,
    suited_weights,
)
from mili_core.losses.total import ALL_TERMS, LossTerms, base_loss, multi_person_loss, total_loss

UNITS = LossWeights(**dict.fromkeys(ALL_TERMS, 1.0))


def powers() -> LossTerms:
    """Each term another power of two: a sum tells which terms are in it."""
    return LossTerms(**{name: torch.tensor(2.0**number) for number, name in enumerate(ALL_TERMS)})


def bits(*names: str) -> float:
    return sum(2.0 ** ALL_TERMS.index(name) for name in names)


def test_terms_and_weights_have_the_same_names() -> None:
    assert tuple(field.name for field in fields(LossWeights)) == ALL_TERMS


def test_equation_2_and_the_total() -> None:
    everything = bits(*ALL_TERMS)
    low_only = bits("occlusion", "restoration")
    assert total_loss(powers(), UNITS).item() == everything
    assert base_loss(powers(), UNITS).item() == everything - low_only
    assert multi_person_loss(powers(), UNITS).item() == everything - low_only - bits("contrastive", "roi")


def test_each_weight_multiplies_its_term() -> None:
    for name in ALL_TERMS:
        heavier = replace(UNITS, **{name: 3.0})
        assert total_loss(powers(), heavier).item() == bits(*ALL_TERMS) + 2 * bits(name)


def test_a_term_of_weight_0_is_off_even_where_it_is_not_finite() -> None:
    terms = replace(powers(), contrastive=torch.tensor(torch.nan))
    assert total_loss(terms, replace(UNITS, contrastive=0.0)).item() == bits(*ALL_TERMS) - bits("contrastive")
    assert not torch.isfinite(total_loss(terms, UNITS))


def test_a_stage_without_teacher_has_only_its_own_terms() -> None:
    box = torch.tensor(2.0, requires_grad=True)
    terms = LossTerms(box=box, keypoints=torch.tensor(0.5))
    total = total_loss(terms, LossWeights())
    total.backward()
    assert total.item() == 4.0
    assert box.grad == 1.0
    assert terms.values(LossWeights())["keypoints"] == 2.0
    assert set(terms.values(LossWeights())) == set(ALL_TERMS)
    assert list(terms.weighted(LossWeights())) == ["box", "keypoints"]


def test_nothing_at_all_is_zero() -> None:
    assert total_loss(LossTerms(), LossWeights()).item() == 0.0


def test_the_papers_weights() -> None:
    weights = LossWeights()
    assert (weights.roi, weights.occlusion, weights.restoration) == (1e-8, 1.0, 1.0)
    assert (weights.interpenetration, weights.depth_order) == (0.0, 0.0)
    assert (TUNE_WEIGHTS.interpenetration, TUNE_WEIGHTS.depth_order) == (0.01, 100.0)


def test_each_model_has_its_weights() -> None:
    assert suited_weights("mili_r50") == CRMH_WEIGHTS
    lite = suited_weights("mili_lite")
    bodies = {name: LITE_BODY_SHARE * getattr(LossWeights(), name) for name in BODY_TERMS}
    assert lite == replace(LossWeights(), restoration=0.02, **bodies)
    detection = [getattr(lite, name) for name in ("objectness", "proposal_box", "person", "box", "occlusion")]
    assert detection == [1.0] * 5
    assert suited_weights("mili_r50", tune=True) == TUNE_WEIGHTS
    assert suited_weights("mili_lite", tune=True).depth_order == 100.0


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_bad_weight_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match="loss weight roi"):
        LossWeights(roi=value)


@pytest.mark.parametrize("change", [{"gamma": 0.0}, {"queue_length": 0}, {"depth_stride": 0}, {"volume_cells": 0}])
def test_bad_settings_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        replace(LossSettings(), **change)
