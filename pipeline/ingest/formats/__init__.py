"""Readers, one file per format: bytes of a file in, records out."""
