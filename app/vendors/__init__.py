"""Labeling vendors: their bytes into our events, our orders into their calls. One module per vendor."""
