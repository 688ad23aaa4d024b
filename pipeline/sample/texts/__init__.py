"""Grammars and lists of words of the sample, as plain text."""
