"""The journal store in a bucket of an object store: Amazon S3 and its alikes, Google Cloud Storage, Azure."""
