"""Kernels for byte-pair encoding: counting, training, encoding."""
