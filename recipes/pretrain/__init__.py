"""The pre-training recipe: reads a hand-off folder and trains on it. torch lives here and nowhere else."""
