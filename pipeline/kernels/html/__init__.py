"""Kernels over HTML markup."""
