"""Evaluation tasks for lm-evaluation-harness that read the user's own files; see README.md."""
