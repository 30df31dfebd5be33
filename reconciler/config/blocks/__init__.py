"""The blocks of the configuration language, one module each."""
