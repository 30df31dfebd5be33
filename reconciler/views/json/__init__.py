"""JSON: documents for other tools; each has ``format_version``, and only gains keys within a major version."""
