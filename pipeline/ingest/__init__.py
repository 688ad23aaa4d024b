"""Sources in: every reader turns files into batches of records with the same schema."""
