"""Which blocks of a frame the model looks at. Pure: sizes and people in, blocks out."""

from pipeline.plan.coarse import coarse_plan
from pipeline.plan.restriction import restrict
from pipeline.plan.uniform import uniform_plan

__all__ = ["coarse_plan", "restrict", "uniform_plan"]
