"""Integrations: what lets other tools work through reconciler."""
