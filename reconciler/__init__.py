"""Terraform for synthetic alarms and events."""

__version__ = "0.2.0"
