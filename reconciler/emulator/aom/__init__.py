"""AOM: events and alarms reported, cleared, queried and counted."""
