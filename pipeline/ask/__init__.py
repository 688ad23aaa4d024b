"""Questions to a finished run, asked of its own Parquet: the commands, the Python API and the explorer share the answers."""
