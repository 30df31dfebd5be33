"""Markdown: what goes into a pull request's comment or a job's summary."""
