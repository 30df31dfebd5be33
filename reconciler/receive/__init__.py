"""The receiver: a server that notifications are sent to, so that a check can prove that one was delivered."""
