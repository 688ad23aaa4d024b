"""From raw documents to a curated, mixed, tokenized corpus. Import the module you need."""

__version__ = "0.1.0"
