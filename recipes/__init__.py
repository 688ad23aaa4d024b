"""Recipes, and the pre-training recipe in recipes.pretrain."""
