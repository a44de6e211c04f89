"""Standard output for what Python prints, and for nothing else.

HiGHS 1.12, which SciPy 1.17 brings, prints a debug line of its own where an integer solution has to be repaired, and no
option keeps it from doing so (gone from HiGHS 1.16). A solve cannot turn the descriptor away for its own duration:
it belongs to all threads, and the C library writes what it has gathered whenever it likes, at the latest when the
process ends. So a command gives it up once, before there are threads.
"""

import os
import sys


def keep_for_python() -> None:
    """From now on `sys.stdout` has a descriptor of its own, and what C libraries print on descriptor 1 goes nowhere.

    Changes nothing where `sys.stdout` is not the interpreter's own or not descriptor 1. What child processes write on
    the standard output that they inherit goes nowhere, too.
    """
    first = sys.__stdout__
    if first is None or sys.stdout is not first or first.fileno() != 1:
        return
    first.flush()
    # Like the interpreter's own it is never closed, only flushed, when the process ends.
    own = open(os.dup(1), "w", encoding=first.encoding, errors=first.errors, closefd=False)  # noqa: SIM115
    own.reconfigure(line_buffering=first.line_buffering, write_through=first.write_through)
    sys.stdout = own
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
