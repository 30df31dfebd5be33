"""JSON documents for other tools; within a major ``format_version`` a document only gains keys."""
