"""Labeling vendors: connections, the inbox, items and the counts that follow from them, orders, reconciling."""
