"""Text: what a person reads in a terminal, in Terraform's spirit."""
