"""The flags of train-mili as the settings of a training; apart from the job because it brings torch."""

from __future__ import annotations

import argparse

from mili_core.config import MILI_LITE, MILI_R50
from mili_core.datasets.twins import TwinSettings
from mili_core.losses.settings import LossSettings, suited_weights
from mili_core.training.loop import TrainSettings
from mili_core.training.sources import TrainingData
from mili_core.training.stages import Recipe


def recipe(options: argparse.Namespace) -> Recipe:
    """Gives what is trained, from what, and with which losses."""
    return Recipe(
        stage=options.stage,
        branch=options.branch,
        config=MILI_R50 if options.model == "mili_r50" else MILI_LITE,
        initial=options.initial,
        teacher=options.teacher,
        body=options.body,
        mask_network=not options.no_mask_network,
        restoration=not options.no_restoration,
        contrastive=not options.no_contrastive,
        losses=LossSettings(suited_weights(options.model, tune=options.tune)),
        stored=options.stored,
        score_threshold=options.score_threshold,
    )


def training_data(options: argparse.Namespace) -> TrainingData:
    """Gives what it is trained on."""
    return TrainingData(
        photos=options.photos,
        squeezed=options.squeezed,
        sport=options.sport,
        renders=options.renders,
        shards=options.shards,
        render_detection=not options.no_render_detection,
        canvas=tuple(options.canvas),
        twins=TwinSettings(sizes=options.lr_sizes),
    )


def train_settings(options: argparse.Namespace) -> TrainSettings:
    """Gives how it is trained."""
    return TrainSettings(
        steps=options.steps,
        batch=options.batch,
        lr=options.lr,
        backbone_lr=options.lr / 2,
        body_lr=options.lr if options.model == "mili_lite" else options.lr / 2,  # a mean of the RoI forgets faster
        frozen_stages=options.frozen_stages,
        warmup=options.warmup,
        seed=options.seed,
        amp=options.amp,
        workers=options.workers,
        checkpoint_every=options.checkpoint_every,
    )
