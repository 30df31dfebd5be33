"""The domain model as plain values, without input, output or clock."""
