"""Standard output carries what Python prints alone. Each test runs in a process of its own, whose descriptors it may
change."""

import re
import subprocess
import sys
from pathlib import Path

LINEAR = """
import numpy as np
from scipy.sparse import csr_array
from app.planner.problem.linear import Linear, maximise_whole

random = np.random.default_rng(7)
columns, rows = int(random.integers(5, 60)), int(random.integers(2, 20))
matrix = np.round(random.uniform(0, 10, (rows, columns)) * (random.random((rows, columns)) < 0.5))
objective = random.uniform(1, 10, columns)
high = matrix.sum(1) * random.uniform(0.5, 4)
whole = (random.random(columns) < 0.6).astype(int)
upper = random.integers(1, 50, columns).astype(float)
question = Linear(objective, csr_array(matrix), np.full(rows, -np.inf), high, np.zeros(columns), upper)
found = maximise_whole(question, whole, 1e-9, 2000)
"""
"""A mixed programme of 56 columns and 13 rows, one solution of which HiGHS 1.12 has to repair."""
NATIVE = "import ctypes; ctypes.CDLL(None).printf(b'from C\\n');"
KEPT = "from app.commands.native_output import keep_for_python; keep_for_python();"


def printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_what_c_prints_goes_nowhere_and_what_python_prints_stays() -> None:
    assert "from C" in printed(f"{NATIVE} print('plan')")
    assert printed(f"print('before'); {KEPT} {NATIVE} print('plan')") == "before\nplan\n"


def test_doing_it_twice_changes_nothing() -> None:
    assert printed(f"{KEPT} {KEPT} {NATIVE} print('plän')") == "plän\n"


def test_it_holds_in_every_thread() -> None:
    work = (
        "import threading; t = threading.Thread(target=lambda: ctypes.CDLL(None).printf(b'x\\n')); t.start(); t.join()"
    )
    assert printed(f"{KEPT} {NATIVE} {work}; print('plan')") == "plan\n"


def test_the_solver_prints_nothing_into_a_plan() -> None:
    """Without it, HiGHS 1.12 prints its line; a later one may print none."""
    assert re.fullmatch(
        r"(HighsMipSolverData::.*\n)*plan\n(HighsMipSolverData::.*\n)*", printed(f"{LINEAR}\nprint('plan')")
    )
    assert printed(f"{KEPT}\n{LINEAR}\nprint('plan')") == "plan\n"


def test_every_command_keeps_it(tmp_path: Path) -> None:
    """A command's output when something native prints while it runs."""
    noisy = "import app.services.access.secrets as s; made = s.new_secret_key"
    patch = "s.new_secret_key = lambda: (ctypes.CDLL(None).printf(b'from C\\n'), made())[1]"
    run = "from tranche.command_line import main; main(['secret-key', 'create'])"
    said = printed(f"import ctypes; {noisy}; {patch}; {run}")
    assert re.fullmatch(r"[\w+/=-]{44}\n", said)
