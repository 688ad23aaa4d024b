"""The recipe: one YAML file that says everything a run does, checked as a whole before anything runs."""
