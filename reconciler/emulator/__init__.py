"""The emulator: the services, written from the API pages alone; it shares no code with the providers."""
