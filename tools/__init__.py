"""Tools that make parts of the documentation from the code; ``make docs`` runs them, and tests keep the two equal."""
