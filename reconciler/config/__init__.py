"""Configuration: from text with positions, through expressions, to expanded and validated desired objects."""
