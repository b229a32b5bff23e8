"""SMPL-layout bodies: loading, skinning, rotations, cameras."""
