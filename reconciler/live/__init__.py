"""The page of a running drill: served to browsers, and updated by server-sent events."""
