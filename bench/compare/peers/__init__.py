"""One module for each candidate."""
