"""Alertmanager's emulator, held to the real server."""
