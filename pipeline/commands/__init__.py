"""The commands of `python -m pipeline`, one file each: `add(parser)` declares arguments, `run(arguments)` does it."""
