"""The report: one page that answers what to buy next and why, to be read, printed and passed on without the service."""
