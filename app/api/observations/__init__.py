"""Routes of runs in, and of curves, forecasts and what to measure next out."""
