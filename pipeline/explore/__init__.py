"""A run in the browser: pages over `pipeline.ask`, served on loopback. Plain HTML, a few lines of our own script, no network."""
