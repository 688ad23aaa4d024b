"""The commands of `domain-corpus`, one file each: `run(arguments)` does it; what they take stands in `commands.toml`."""
