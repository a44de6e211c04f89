"""What leaves the service to be read: tables, charts, and all that a report is made of."""
