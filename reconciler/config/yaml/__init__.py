"""YAML 1.2 text to plain values that know their position."""
