"""The people of a scene: their bodies, ready for rendering, and where they are."""
