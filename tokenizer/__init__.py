"""Byte-level BPE as pure functions over Arrow batches: count, merge, encode, check."""
