"""What every store of a ledger promises; each test runs against all of them."""
