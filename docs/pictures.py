"""Makes the pictures of the README and of docs/: `python docs/pictures.py` (a few minutes), after `make demo`.

docs/demo.jpg is the demo's overview; docs/scene-*.jpg are small frames of the presets.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2

DOCS = Path(__file__).parent
WIDTH_PX = 1200
JPEG_QUALITY = 82
SCENES = {
    "street": ["--people", "90", "--size", "2400x1500", "--seed", "12"],
    "square": ["--people", "110", "--size", "2400x1500", "--seed", "5"],
    "station": ["--people", "90", "--size", "2400x1500", "--seed", "3"],
    "sports": ["--people", "80", "--size", "2400x1500", "--seed", "4"],
}
"""Preset -> options of make-scene."""


def main() -> int:
    """Writes the pictures and gives the exit code."""
    from jobs import make_scene

    demo = DOCS.parent / "demo" / "out" / "overview.jpg"
    if demo.is_file():
        _shrink(demo, DOCS / "demo.jpg")
    for preset, options in SCENES.items():
        with tempfile.TemporaryDirectory() as folder:
            code = make_scene.main(["--preset", preset, *options, "--output", folder])
            if code:
                return code
            _shrink(Path(folder) / "scene.tif", DOCS / f"scene-{preset}.jpg")
    return 0


def _shrink(source: Path, target: Path) -> None:
    image = cv2.imread(str(source))
    assert image is not None, source
    size = (WIDTH_PX, round(image.shape[0] * WIDTH_PX / image.shape[1]))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(target), small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


if __name__ == "__main__":
    sys.exit(main())
