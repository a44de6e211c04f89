"""What processes use, as /proc tells it: CPU seconds and memory of a process and of its tree. Linux."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
CPU_CLOCK = 2
"""The kernel's number of the clock that counts all CPU time of a process (CPUCLOCK_SCHED), in nanoseconds: ticks of
10 ms would be as long as some of what is measured."""


@dataclass(frozen=True)
class Stat:
    """parent: its process id; own, reaped: CPU seconds (user and system) of the process and of the children that it
    has waited for."""

    parent: int
    own: float
    reaped: float

    @classmethod
    def parse(cls, text: str) -> "Stat":
        """text: /proc/PID/stat. A command's name may hold spaces and brackets: fields count from the last bracket."""
        fields = text.rpartition(")")[2].split()
        user, system, reaped_user, reaped_system = map(int, fields[11:15])
        return cls(int(fields[1]), (user + system) / TICKS, (reaped_user + reaped_system) / TICKS)


def tree(root: int, parents: Mapping[int, int]) -> list[int]:
    """root and all that descend from it; parents: by process."""
    found = [root]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def memory_mb(rollup: str) -> dict[str, float]:
    """RSS and PSS (shared pages divided among those who share them) in MB; rollup: /proc/PID/smaps_rollup."""
    sizes = {line.split()[0]: int(line.split()[1]) / 1024 for line in rollup.splitlines()[1:]}
    return {"RSS": sizes["Rss:"], "PSS": sizes["Pss:"]}


def stats() -> dict[int, Stat]:
    """Of all processes."""
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = Stat.parse((entry / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, its children left out."""
    return time.clock_gettime((~pid << 3) | CPU_CLOCK)


def tree_cpu_s(root: int) -> float:
    """CPU seconds of a process and all that descend from it, those that have ended included."""
    now = stats()
    used = 0.0
    for pid in tree(root, {pid: stat.parent for pid, stat in now.items()}):
        try:
            used += cpu_s(pid) + (now[pid].reaped if pid in now else 0.0)
        except OSError:  # it has just ended; its parent tells of it from now on
            continue
    return used


def memory(pid: int) -> dict[str, float]:
    return memory_mb((PROC / str(pid) / "smaps_rollup").read_text())


def rest(used: Callable[[], float], quiet_s: float = 1.0, share: float = 0.06, patience_s: float = 900.0) -> None:
    """Waits until processes rest: over `quiet_s` they use less than `share` of a core. used: their CPU seconds, now.
    Raises TimeoutError after `patience_s`."""
    end = time.monotonic() + patience_s
    before, since = used(), time.monotonic()
    while time.monotonic() < end:
        time.sleep(quiet_s)
        now, at = used(), time.monotonic()
        if now - before < share * (at - since):
            return
        before, since = now, at
    raise TimeoutError(f"still at work after {patience_s:.0f} s")


def tree_memory_mb(root: int) -> float:
    """PSS of a process and of all that descend from it now, in MB."""
    held = 0.0
    for pid in tree(root, {pid: stat.parent for pid, stat in stats().items()}):
        try:
            held += memory(pid)["PSS"]
        except (FileNotFoundError, ProcessLookupError, KeyError):  # it has just ended
            continue
    return held
