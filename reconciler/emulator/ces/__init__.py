"""CES: custom events reported, listed and shown."""
