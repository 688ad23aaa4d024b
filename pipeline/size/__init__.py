"""Scaling laws, memory and advice as pure functions of numbers."""
