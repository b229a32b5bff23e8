"""Where a run works: in a Ray job, on a cluster elsewhere, or on this machine; and what follows for its settings."""

from __future__ import annotations

import os
from pathlib import Path

from mili_core.errors import ConfigError
from pipeline.config import SceneConfig

JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # set, under this very name, for what `ray job submit` starts


def ray_job() -> bool:
    """Says whether this process was started by `ray job submit`."""
    return JOB_VARIABLE in os.environ


def refuse_vanishing_paths(config: SceneConfig) -> None:
    """Raises ConfigError for relative paths in a Ray job, whose working directory is a copy that goes with the job."""
    if not ray_job():
        return
    named = {"input": [*config.input], "output": [str(config.output)]}
    named["pyramids"] = [] if config.pyramids is None else [str(config.pyramids)]
    for setting, paths in named.items():
        for path in paths:
            if not Path(path).is_absolute():
                message = f"{setting}: {path!r} is relative, and a Ray job's folder vanishes with it; give a full path"
                raise ConfigError(message)


def device_of(config: SceneConfig) -> str:
    """Gives the kind of device that the workers use; a local cluster has those of this machine.

    Raises:
        ConfigError: CUDA is asked for and not there.
    """
    from mili_core.api import resolve_device  # noqa: PLC0415 - brings torch, which a refused input need not wait for

    elsewhere = config.ray.address or os.environ.get("RAY_ADDRESS") or ray_job()
    if elsewhere and config.model.device != "auto":
        return config.model.device
    return resolve_device(config.model.device).type
