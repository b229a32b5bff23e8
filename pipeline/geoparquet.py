"""The GeoParquet 1.1 metadata of our files."""

from __future__ import annotations

import json

import shapely

from pipeline import columns
from pipeline.types import GeometryArray


def geoparquet_metadata(geometries: GeometryArray) -> bytes:
    """Gives the value of the file metadata key "geo".

    The crs is written as null: where it is missing, readers claim longitude and latitude.

    Args:
        geometries: (N,) object array of the column `geometry`, None where there is none.
    """
    present = geometries[~shapely.is_missing(geometries)]
    column: dict[str, object] = {
        "encoding": "WKB",
        "geometry_types": sorted({str(geometry.geom_type) for geometry in present}),
        "crs": None,
        "edges": "planar",
        "covering": {"bbox": {corner: ["bbox", corner] for corner in columns.CORNERS}},
    }
    if len(present):
        column["bbox"] = shapely.total_bounds(present).tolist()
    return json.dumps({"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}).encode()
