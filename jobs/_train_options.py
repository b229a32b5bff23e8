"""The flags of train-mili as the settings of a training; apart from the job because it brings torch."""

from __future__ import annotations

import argparse
from dataclasses import replace

from mili_core.datasets.twins import TwinSettings
from mili_core.losses.settings import LossSettings, suited_weights
from mili_core.training.loop import TrainSettings
from mili_core.training.presets import PRESETS
from mili_core.training.sources import TrainingData
from mili_core.training.stages import Recipe


def recipe(options: argparse.Namespace) -> Recipe:
    """Gives what is trained, from what, and with which losses."""
    return Recipe(
        stage=options.stage,
        branch=options.branch,
        config=PRESETS[options.model].config,
        initial=options.initial,
        teacher=options.teacher,
        body=options.body,
        mask_network=not options.no_mask_network,
        restoration=not options.no_restoration,
        contrastive=not options.no_contrastive,
        losses=LossSettings(suited_weights(options.model, tune=options.tune), penalty="mse" if options.tune else "l1"),
        sampling=PRESETS[options.model].sampling,
        stored=options.stored,
        score_threshold=options.score_threshold,
        keep_weights=options.keep_weights,
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
        canvas=tuple(options.canvas or PRESETS[options.model].canvas),
        twins=TwinSettings(sizes=options.lr_sizes),
    )


def train_settings(options: argparse.Namespace) -> TrainSettings:
    """Gives how it is trained: the model's preset, and what was asked for otherwise."""
    preset = PRESETS[options.model]
    asked = {name: getattr(options, name) for name in ("steps", "batch", "lr", "warmup", "frozen_stages")}
    pace = preset.settings.lr if options.lr is None else options.lr
    return replace(
        preset.settings,
        **{name: value for name, value in asked.items() if value is not None},
        backbone_lr=pace * preset.backbone_pace,
        body_lr=pace * preset.body_pace,
        frozen_attention=options.frozen_attention,
        seed=options.seed,
        amp=options.amp,
        workers=options.workers,
        checkpoint_every=options.checkpoint_every,
    )
