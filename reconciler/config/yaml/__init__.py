"""YAML 1.2 text as plain values with positions."""
