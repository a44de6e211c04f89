"""What all routes share: ways in, one transaction, entity tags, idempotency, errors, pages, bulk."""
