"""A project as large as many are: 20 groups that learn at different speeds, some with targets."""

import math
from typing import Any

from tests.api_client import Api

SIZES = (60, 120, 240, 480)


def twenty_groups(api: Api, count: int = 20) -> str:
    """The project's path; pages leave the /v1 out. Its groups are clinics that held 60 to 480 samples when measured."""
    groups: list[dict[str, Any]] = [
        {
            "key": f"clinic-{at + 1}",
            "name": f"Clinic {at + 1}" + (" with a name that goes on for longer than a label" if at == 3 else ""),
            "initial_count": SIZES[at % 4],
            "unit_cost": f"{1 + at % 3}.50",
            **({"target": 0.85} if at % 4 == 0 else {}),
        }
        for at in range(count)
    ]
    path = api.project(name="Twenty clinics", budget={"total": "12000", "rounds": 4}, groups=groups)
    runs = []
    for number, share in enumerate((0.25, 0.5, 1.0, 0.25, 0.5, 1.0)):
        counts = {one["key"]: max(1, round(share * one["initial_count"])) for one in groups}
        metrics = {
            key: {"value": accuracy(at, held, number), "stderr": 0.008 + 0.002 * (at % 3)}
            for at, (key, held) in enumerate(counts.items())
        }
        runs.append({"external_id": f"run-{number}", "counts": counts, "metrics": metrics})
    answer = api.post(f"{path}/observations", json={"observations": runs})
    assert answer.status_code == 201, answer.text
    return path


def accuracy(at: int, held: int, number: int) -> float:
    """Of group `at` in run `number`: a power law with an error that is the same in every run of the tests."""
    error = 0.008 * math.sin(7.0 * at + 3.0 * number)
    return round(0.93 - 0.01 * (at % 5) - (0.5 + 0.1 * (at % 4)) * held ** -(0.3 + 0.04 * (at % 3)) + error, 4)
