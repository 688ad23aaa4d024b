"""Forgetting documents of a finished run: their text leaves every file, everything else stays what it was."""
