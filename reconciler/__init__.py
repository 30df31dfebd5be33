"""Terraform for synthetic alarms and events."""

__version__ = "0.1.0"
