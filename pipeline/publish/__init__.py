"""What a run leaves for others: corpus, index for the next run, hand-off to training, cards."""
