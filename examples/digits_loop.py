"""A loop on scikit-learn's digits: ten classes, three rounds of 80 samples, from the first run to the last purchase.

TRANCHE_URL=http://localhost:8000 TRANCHE_API_KEY=... python examples/digits_loop.py
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.svm import SVC
from tranche import Client, Observation, subsets

x, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(y))
test, market = order[:600], {str(d): [row for row in order[600:] if y[row] == d] for d in range(10)}

with Client() as tranche:
    groups = [{"key": digit, "initial_count": 8, "unit_cost": 1} for digit in market]
    budget = {"total": 240, "rounds": 3}
    project = tranche.ensure_project(external_id="digits", metric="recall", model="joint", budget=budget, groups=groups)
    for number in range(len(tranche.rounds(project)), 3):
        pools = {group.key: [group.initial_count, group.collected_count] for group in tranche.groups(project)}
        for subset in subsets(tranche.measurement_plan(project), pools, seed=7):
            rows = [market[digit][i] for digit, positions in subset.items() for i in positions]
            predicted = SVC(gamma=0.001).fit(x[rows], y[rows]).predict(x[test])
            counts = {digit: len(positions) for digit, positions in subset.items()}
            run = Observation.from_predictions(counts, y[test], predicted, y[test], holdout="test")
            tranche.post_observations(project, [run])
        plan = tranche.next_allocation(project)
        print(plan)
        tranche.record_purchase(project, plan, external_id=f"round-{number}")
