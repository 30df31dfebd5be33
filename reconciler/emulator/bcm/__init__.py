"""BCM: alarm histories listed and shown."""
