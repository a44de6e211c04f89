"""What the next round should buy, and what it would reach."""
