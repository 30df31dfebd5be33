"""The use cases behind the commands, without a terminal."""
