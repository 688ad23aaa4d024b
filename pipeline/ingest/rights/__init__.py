"""What a page or its host says about the use of its text."""
