"""`tranche demo`: one real purchase planned end to end, on measured points of the census data."""
