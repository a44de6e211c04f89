"""Tranche: what should the next round of data collection buy?"""
