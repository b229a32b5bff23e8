"""A z-buffer rasteriser: numba kernel and torch twin behind one contract."""
