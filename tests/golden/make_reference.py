"""Takes reference.npz from a parity set of CRMH's own numbers: `python -m tests.golden.make_reference DIR`.

Kept is what needs no checkpoint: inputs of single stages, and what CRMH's modules made of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tests.golden.parity_set import OUTPUTS, open_recipe

PATH = Path(__file__).parent / "reference.npz"
ANCHORS = 6  # first and last ones of a level
PIXELS = 120  # values of the photo


def main() -> None:
    data = Path(sys.argv[1])
    recipe = open_recipe(data)
    kept = {}
    with np.load(data / OUTPUTS) as outputs:
        for level in range(5):
            for part in ("first", "last"):
                kept[f"anchors{level}_{part}"] = outputs[f"anchor{level}_{part}"][:ANCHORS]
            kept[f"anchors{level}_sums"] = outputs[f"anchor{level}_sum"][:5]
        for name in ("roi_level", "isodet_few", "nms_edge_keep", "init_contrep", "cam_trans"):
            kept[name] = outputs[name]
        kept["photo_size"], kept["photo_scale"] = outputs["pre_port_size"], outputs["pre_port_scale"]
        picked = outputs["pre_port"]
    count = 3 * recipe.NET_H * recipe.NET_W
    flat = (np.arange(len(picked), dtype=np.int64) * (count - 1)) // (len(picked) - 1)
    some = np.linspace(0, len(picked) - 1, PIXELS).astype(np.int64)
    kept |= {"pixels": picked[some], "pixels_at": flat[some]}
    cam, boxes = recipe.cams_boxes()
    det_rois, det_logits, det_deltas = recipe.stage_det("few")
    kept |= {"rois": recipe.rois(), "edge": recipe.nms_edge(), "cam": cam, "cam_boxes": boxes}
    kept |= {"det_rois": det_rois, "det_logits": det_logits, "det_deltas": det_deltas[:, 4:]}
    kept |= {"mean_pose": recipe.mean_params()["pose"]}
    np.savez_compressed(PATH, **kept)
    print(f"{PATH}: {PATH.stat().st_size} bytes")


if __name__ == "__main__":
    main()
