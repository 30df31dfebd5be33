"""Drills: alarms and events on a timeline, watched, checked, and always cleared."""
