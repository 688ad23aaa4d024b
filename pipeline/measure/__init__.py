"""The measure stage: every judge over every document, in one pass per shard."""
