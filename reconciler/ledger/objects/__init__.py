"""The journal store in an object store: Amazon S3 and compatible ones, Google Cloud Storage, Azure Blob Storage."""
