"""HTML: pages that stand alone, with nothing from elsewhere and no script."""
