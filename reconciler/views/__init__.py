"""Views: one renderer per format, for every result."""
