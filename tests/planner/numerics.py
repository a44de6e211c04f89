"""How hard the numerical tests try: `make test` a little, `make test-numerics` (NUMERICS=deep) a lot."""

import os

DEEP = os.environ.get("NUMERICS") == "deep"
EXAMPLES = 500 if DEEP else 10
"""Hypothesis examples per invariant."""
PROBLEMS = 1_000 if DEEP else 20
"""Random problems per kind of utility against CVXPY."""
