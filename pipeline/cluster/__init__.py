"""Exact and near duplicates: annotations on every extracted document, independent of thresholds."""
