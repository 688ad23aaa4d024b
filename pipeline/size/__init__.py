"""Sizing: scaling laws, shapes, compute, memory and the plan. Pure functions; no torch, no files, no clock."""
