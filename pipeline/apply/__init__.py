"""Spans cut and masked: the text of every document as it is published, and the final verdicts."""
