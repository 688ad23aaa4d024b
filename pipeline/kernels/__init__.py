"""Compiled kernels over Arrow buffers: the ground floor. Nothing here imports anything else of this project."""
