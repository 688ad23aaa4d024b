"""Audits of what the filters removed: documents by identity term, flips of verdicts, terms of the domain."""
