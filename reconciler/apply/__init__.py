"""Apply: sends plans in batches, with retries, settling and verification."""
