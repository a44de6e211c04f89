"""Charts: pure functions from plain data to Vega-Lite specifications, and what draws these without a browser."""
