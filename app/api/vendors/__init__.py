"""Routes of vendor connections, their orders and hooks, and of what vendors sent."""
