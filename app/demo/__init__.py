"""`tranche demo`: one purchase planned end to end, on measured points of learning curves."""
