"""The sentences that several renderers share."""
