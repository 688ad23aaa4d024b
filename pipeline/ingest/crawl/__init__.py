"""A polite live crawl into WARC."""
