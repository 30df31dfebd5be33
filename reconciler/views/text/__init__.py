"""Text for terminals, in the style of Terraform."""
