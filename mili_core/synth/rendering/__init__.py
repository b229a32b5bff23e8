"""From a scene to pixels and to truth: sample grids, shading, shadows, and what a camera does to light."""
