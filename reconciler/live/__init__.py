"""The page of a drill that runs: served to browsers, brought up to date by server-sent events."""
