"""Webhooks: endpoints, events and their deliveries, signed, sent and sent again."""
