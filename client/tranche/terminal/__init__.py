"""The commands that speak to a service: what to collect next, and what was bought."""
