"""Routes of rounds, orders, deliveries and the ledger."""
