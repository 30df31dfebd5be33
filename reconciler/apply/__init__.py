"""Apply: batches, retries, settling, verification."""
