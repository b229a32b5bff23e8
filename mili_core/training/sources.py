"""Which data a training draws from, and in which parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mili_core.body import BodyModel
from mili_core.datasets.augment import AugmentSettings
from mili_core.datasets.coco import CocoPhotos, Requirement
from mili_core.datasets.mixture import MixtureSource, TrainingMixture
from mili_core.datasets.shards import ShardSource
from mili_core.datasets.sport import SportPoses
from mili_core.datasets.squeezed import SqueezedPhotos
from mili_core.datasets.twins import TwinSettings, TwinStream
from mili_core.errors import ConfigError
from mili_core.synth.samples import RenderSource

NEGATIVES = 0.22  # share of person-free samples
RENDERS = 0.35  # share of the others: they alone know bodies in 3D
FOLDERS = ("photos", "squeezed", "sport", "shards")
CELL = 32  # px; canvases are whole cells of the pyramid's top
SPLIT = "train"  # of photos: what their annotations call those to train on
CANVAS = (416, 256)  # px; half the network's sides: four times the steps, people as tall


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What to train on.

    Attributes:
        photos: COCO-style folder with boxes, masks and keypoints.
        squeezed: folder of square-squeezed photos with boxes, or None.
        sport: folder of single athletes with 14 joints, or None.
        renders: share of rendered samples among those with people.
        shards: folder of rendered samples, or None to render while training, which is slow.
        render_detection: rendered samples teach boxes and masks, too.
        canvas: width and height of training images, px, multiples of CELL.
        twins: how low-resolution twins are made.

    Raises:
        ConfigError: the share is not in 0..1, or the canvas is not of whole cells.
    """

    photos: Path
    squeezed: Path | None = None
    sport: Path | None = None
    renders: float = RENDERS
    shards: Path | None = None
    render_detection: bool = True
    canvas: tuple[int, int] = CANVAS
    twins: TwinSettings = field(default_factory=TwinSettings)

    def __post_init__(self) -> None:
        if not 0.0 <= self.renders < 1.0:
            raise ConfigError(f"share of renders {self.renders} is not in 0..1 (1 excluded)")
        if any(side < CELL or side % CELL for side in self.canvas):
            raise ConfigError(f"canvas {self.canvas[0]}x{self.canvas[1]} is not possible; give multiples of {CELL} px")

    @property
    def augmentation(self) -> AugmentSettings:
        """Augmentation that loses no detail: twins do that."""
        return AugmentSettings(width=self.canvas[0], height=self.canvas[1]).sharp()


def box_sources(data: TrainingData) -> list[MixtureSource]:
    """Gives the photos with boxes; weights are about proportional to what each photo adds."""
    sources = [MixtureSource("photos", _photos(data.photos), 0.60, negatives=True)]
    if data.squeezed is not None:
        squeezed = SqueezedPhotos(data.squeezed)
        if len(squeezed) == 0:
            raise ConfigError(f"{data.squeezed} holds no photo whose boxes are complete; leave it out")
        sources.append(MixtureSource("squeezed", squeezed, 0.28, negatives=True))
    return sources


def all_sources(data: TrainingData) -> list[MixtureSource]:
    """Gives the photos with boxes, and athletes, who train the SMPL head only."""
    sources = box_sources(data)
    if data.sport is not None:
        sources.append(MixtureSource("sport", SportPoses(data.sport), 0.08))
    return sources


def keypoint_sources(data: TrainingData) -> list[MixtureSource]:
    """Gives the photos with 2D keypoints."""
    sources = [MixtureSource("keypoints", _photos(data.photos, "keypoints"), 0.55)]
    if data.sport is not None:
        sources.append(MixtureSource("sport", SportPoses(data.sport), 0.45))
    return sources


def _photos(folder: Path, require: Requirement = "boxes") -> CocoPhotos:
    """Returns the training photos of a folder.

    Raises:
        ConfigError: there are none.
    """
    photos = CocoPhotos(folder, SPLIT, require=require)
    if not any(photos.people_at(index) for index in range(len(photos))):
        known = "" if require == "boxes" else f" and complete {require}"
        raise ConfigError(f'{folder} holds no photo of people with "split": "{SPLIT}"{known} in its annotations')
    return photos


def with_renders(photos: Sequence[MixtureSource], data: TrainingData, body: BodyModel) -> list[MixtureSource]:
    """Gives the photos and, at their share, rendered people; empty places of renders are among the person-free samples.

    Raises:
        ConfigError: shards of another body or larger than the canvas.
    """
    if data.renders == 0.0:
        return list(photos)
    weight = sum(source.weight for source in photos) * data.renders / (1.0 - data.renders)
    width, height = data.canvas
    if data.shards is None:
        rendered: RenderSource | ShardSource = RenderSource(body, width, height, detection=data.render_detection)
    else:
        rendered = ShardSource(data.shards, body_sha256=body.sha256, detection=data.render_detection)
        if rendered.origin.width > width or rendered.origin.height > height:
            size = f"{rendered.origin.width}x{rendered.origin.height}"
            raise ConfigError(f"shards in {data.shards} are {size} px, larger than the canvas {width}x{height}")
    return [*photos, MixtureSource("renders", rendered, weight, change="still", negatives=data.render_detection)]


def stream(
    sources: Sequence[MixtureSource], data: TrainingData, seed: int, *, twins: bool, people_only: bool = False
) -> TrainingMixture | TwinStream:
    """Gives the endless stream of training samples.

    Args:
        sources: photos and renders.
        data: canvas and twins.
        seed: another seed is another stream.
        twins: images lose detail, for the LR branch; the sharp ones come along.
        people_only: leave out the person-free samples.

    Raises:
        ConfigError: no sources.
    """
    if not sources:
        raise ConfigError("training needs data: give --photos and the other folders")
    mixed = TrainingMixture(sources, data.augmentation, seed, negatives=0.0 if people_only else NEGATIVES)
    return TwinStream(mixed, data.twins, seed) if twins else mixed
