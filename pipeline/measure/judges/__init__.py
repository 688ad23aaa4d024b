"""Judges, one file each: a judge adds signal columns and spans beside the text and removes nothing."""
