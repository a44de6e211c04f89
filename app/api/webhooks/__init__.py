"""Routes of webhook endpoints, delivery attempts and events."""
