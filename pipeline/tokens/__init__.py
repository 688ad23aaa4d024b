"""A tokenizer trained on the mix, and every kept document encoded once into token shards."""
