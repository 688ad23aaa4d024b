"""Signals, thresholds and clusters to one verdict per document."""
