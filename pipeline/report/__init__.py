"""What the user sees: progress, the final tables, report.html and cards."""
