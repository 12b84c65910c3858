"""One module at a time, with nothing else running."""
