"""Bytes to text: encodings, main content, line ends, wrapping, tables, and guards against hostile input."""
