"""An opened stack: its configuration, its providers, its ledger and its lease."""
