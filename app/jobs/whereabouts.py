"""Where a worker runs, so that another one can tell whether it still does."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from app.services.jobs.workers import Process

BOOT = Path("/proc/sys/kernel/random/boot_id")
NAMESPACES = ("pid", "time")
"""Containers on one kernel share its boot, and count their processes and their time apart."""
DEAD = ("Z", "X")


def this_process() -> Process:
    pid = os.getpid()
    return Process(here(), pid, began(pid), lives)


def here() -> str:
    """What all processes have in common that can see each other, and no two live ones that cannot: the boot of the
    machine and the namespace of process ids. Where it cannot be told no other process is in the same place."""
    try:
        if sys.platform == "darwin":
            return subprocess.run(
                ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, text=True, check=True
            ).stdout.strip()
        namespaces = (str(Path(f"/proc/self/ns/{name}").readlink()) for name in NAMESPACES)
        return " ".join([BOOT.read_text().strip(), *namespaces])
    except (OSError, subprocess.CalledProcessError):
        return str(uuid4())


def lives(pid: int, since: str) -> bool:
    """Whether the process of this place that began at `since` runs; yes where that cannot be told."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return began(pid) in (since, "") or not since


def began(pid: int) -> str:
    """When a process began, in ticks since the machine's start. "ended" where its parent has not noticed yet that it
    did; empty where it cannot be told."""
    try:
        if str(Path("/proc/self").readlink()) != str(os.getpid()):
            # This /proc counts the processes of another namespace.
            return ""
        # The name before the last bracket may hold anything.
        state, *fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "ended" if state in DEAD else fields[18]
