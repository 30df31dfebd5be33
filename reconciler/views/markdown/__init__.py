"""Markdown for comments on pull requests and for job summaries."""
