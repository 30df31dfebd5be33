"""SMN: topics, HTTP(S) subscriptions with confirmation, and signed messages."""
