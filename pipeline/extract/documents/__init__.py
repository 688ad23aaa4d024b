"""Documents as programs write them: PDF, office files, books, notebooks, subtitles. One file a family of formats."""
