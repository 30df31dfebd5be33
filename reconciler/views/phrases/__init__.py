"""Phrases that several renderers share."""
