"""What was ordered, delivered and charged, and what is left of the budget."""
