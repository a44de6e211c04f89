"""Whole orders near the divisible optimum, and a bound on what they miss."""
