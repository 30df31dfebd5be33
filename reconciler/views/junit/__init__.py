"""JUnit XML: the one report every CI shows."""
