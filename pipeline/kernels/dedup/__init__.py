"""Kernels for exact and near duplicates."""
