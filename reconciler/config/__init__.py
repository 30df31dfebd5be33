"""Configuration: text to positions to expressions to expanded, validated desired objects."""
