"""Who may ask what: keys, page sessions, secrets, and the audit of what was done."""
