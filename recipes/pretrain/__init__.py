"""FSDP pre-training from a hand-off folder. torch lives only here."""
