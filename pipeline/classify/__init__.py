"""Classifiers a run trains for itself: which documents, how they learn, and what is said about them. Pure functions."""
