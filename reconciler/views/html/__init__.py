"""HTML: self-contained pages that load nothing from elsewhere and, unless live, have no script."""
