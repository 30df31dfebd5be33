"""The ledger: the journal of operations and outcomes, and the lease on a stack."""
