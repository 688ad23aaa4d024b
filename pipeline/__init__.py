"""From raw documents to a curated, mixed, tokenized corpus. Import the module you need."""
