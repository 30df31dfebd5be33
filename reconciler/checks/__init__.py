"""Checks: expectations about what the services show, polled until they hold or a deadline passes."""
