"""The expressions between `${` and `}`: compiled once, evaluated within limits."""
