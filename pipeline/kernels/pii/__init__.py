"""Kernels that find personal data."""
