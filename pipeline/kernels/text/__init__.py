"""Kernels over the text of documents."""
