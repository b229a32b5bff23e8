"""The settings of a scene run: command line > environment MILI_* > YAML file > defaults; unknown names fail."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from mili_core.errors import ConfigError, MissingFileError
from pipeline.merge.config import MergeConfig
from pipeline.storage import local_path


def _local(value: object) -> object:
    """Gives the path that a file: URI names; other URIs are refused."""
    return local_path(value) if isinstance(value, (str, Path)) else value


def _one_or_many(value: object) -> object:
    """Gives a tuple where the environment or a YAML file holds one plain string."""
    return (value,) if isinstance(value, str) else value


def _factory_name(value: str) -> str:
    """Refuses what cannot name a function of a module."""
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", value):
        raise ValueError(f"{value!r} is not package.module:factory; MILI itself runs where it is left out")
    return value


LocalPath = Annotated[Path, BeforeValidator(_local)]
Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_one_or_many)]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


MILI_ONLY = ("weights", "body", "body_mismatch", "branch", "lr_mode", "lr_scale", "compat", "score_threshold")
"""Settings of a model that one from a factory has not."""


class ModelSettings(_Group):
    """Which model runs, and where."""

    factory: Annotated[str, AfterValidator(_factory_name)] | None = Field(
        default=None, description="package.module:factory, called as factory(device); MILI when not given"
    )
    weights: LocalPath | None = Field(default=None, description="safetensors file; the shipped weights when not given")
    body: LocalPath | None = Field(default=None, description="body .npz; the shipped open body when not given")
    body_mismatch: Literal["refuse", "fit"] = Field(
        default="refuse", description="a body that the weights do not regress: refuse it, or fit its betas"
    )
    branch: Literal["lr", "hr"] | None = Field(
        default=None, description="lr, or hr, which gives no masks; lr, or hr with compat, when not given"
    )
    lr_mode: Literal["native", "degrade"] = Field(
        default="native", description="branch lr: pixels as they are, or shrunk to the paper's low resolution first"
    )
    lr_scale: Literal["large", "small"] = Field(
        default="large", description="lr_mode degrade: 286x176 or 208x128 of the network's 832x512 px"
    )
    compat: Literal["crmh"] | None = Field(
        default=None, description="crmh: compute what CRMH's released code does, with weights converted from it"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="cuda: of each actor the GPU that Ray gives it; auto: that if there is one"
    )
    score_threshold: float | None = Field(
        default=None, ge=0.0, le=1.0, description="least score of a detection; what the weights recommend by default"
    )

    @model_validator(mode="after")
    def _factory_brings_its_own(self) -> Self:
        given = [name for name in MILI_ONLY if getattr(self, name) != type(self).model_fields[name].default]
        if self.factory is not None and given:
            raise ValueError(
                f"{' and '.join(given)}: only MILI itself has such settings; leave them out with a factory"
            )
        return self

    def with_full_paths(self) -> ModelSettings:
        """Gives the same settings for a process that works in another folder."""
        paths = {"weights": self.weights, "body": self.body}
        return self.model_copy(update={name: path.absolute() for name, path in paths.items() if path})


class PlanSettings(_Group):
    """Which blocks of a frame are looked at."""

    kind: Literal["ground", "uniform"] = Field(
        default="ground", description="ground: as large as people are where they stand; uniform: every level, evenly"
    )
    overlap: float = Field(
        default=0.25, ge=0.0, le=0.9, description="share of a block that two neighbours share, where they lie evenly"
    )
    smallest_px: float = Field(
        default=64.0, ge=16.0, le=200.0, description="ground: show everyone at least so tall, of the network's 512 px"
    )
    share_fit: bool = Field(
        default=True, description="ground: one fit for all frames of a scene, whose camera stands still"
    )


class CameraSettings(_Group):
    """What is known of the camera."""

    focal_px: float | None = Field(
        default=None,
        gt=0.0,
        allow_inf_nan=False,
        description="focal length in px of the frame; from the file, or from how people lean, when not given",
    )


class RaySettings(_Group):
    """How the work is spread."""

    address: str | None = Field(
        default=None, description="a running cluster, as ray.init takes it; RAY_ADDRESS, else a local one"
    )
    actors: int | None = Field(default=None, ge=1, description="worker processes; as many as fit when not given")
    cpus_per_actor: float | None = Field(default=None, gt=0.0, description="CPUs reserved for each; its threads")
    gpus_per_actor: float | None = Field(default=None, ge=0.0, description="GPUs for each; 1 on cuda, else 0")
    threads: int = Field(default=1, ge=1, description="threads of each worker process")
    batch_blocks: int = Field(
        default=8, ge=1, le=1024, description="blocks of a call of the model; part of what makes runs equal"
    )


class SceneConfig(BaseSettings):
    """Finds the people of gigapixel photos and writes a table of them."""

    model_config = SettingsConfigDict(
        env_prefix="MILI_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    input: Texts = Field(min_length=1, description="images, folders or globs")
    output: LocalPath = Field(description="folder for the results")
    config: Path | None = Field(default=None, description="YAML file with any of these settings")
    scene_id: str | None = Field(default=None, min_length=1, description="name of the scene; from the paths by default")
    frame_id: int | None = Field(
        default=None, ge=0, lt=2**31, description="number of the frame; from the names by default"
    )
    roi: Texts = Field(default=(), description="where to look: WKT or GeoJSON polygons in frame px, or a file of them")
    exclude: Texts = Field(default=(), description="where not to look: as roi")
    pyramids: LocalPath | None = Field(default=None, description="folder for the pyramids; OUTPUT/pyramids by default")
    overview: bool = Field(default=True, description="draw overview.jpg")
    dry_run: bool = Field(
        default=False, description="take the first look only, print the plan and draw it into OUTPUT/plan.jpg"
    )
    resume: bool = Field(default=True, description="go on with what an earlier run of the same settings has done")
    overwrite: bool = Field(default=False, description="make everything anew, pyramids included")
    debug: bool = Field(default=False, description="show tracebacks and the workers' logs")
    model: ModelSettings = Field(default=ModelSettings())
    plan: PlanSettings = Field(default=PlanSettings())
    merge: MergeConfig = Field(default=MergeConfig())
    camera: CameraSettings = Field(default=CameraSettings())
    ray: RaySettings = Field(default=RaySettings())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the name is the library's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the name is the library's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Gives the sources in order of precedence: arguments, environment, the YAML file that these two name."""
        path = init_settings().get("config") or env_settings().get("config")
        values = read_yaml(Path(path)) if path else {}
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=values)


def read_yaml(path: Path) -> dict[str, object]:
    """Gives the settings of a YAML file; an empty file holds none.

    Raises:
        MissingFileError: there is no such file.
        ConfigError: it is not YAML, or not a mapping of names to values.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingFileError(f"config file {path}: no such file; check --config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config file {path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        raise ConfigError(f"config file {path}, line {line}: not valid YAML; correct that line") from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"config file {path}: expected settings as 'name: value', found {type(values).__name__}")
    return values
