"""Integrations: lets other tools use reconciler."""
