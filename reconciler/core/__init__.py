"""The words of the project as plain values: no input, no output, no clock."""
