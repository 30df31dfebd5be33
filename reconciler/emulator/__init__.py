"""The emulator: the services, written from their API pages alone; it shares no code with the providers."""
