"""Two machines and a switch between them: network namespaces, of which one has a PostgreSQL of its own, and processes
that may have a host name and process ids of their own."""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

from pydantic import SecretStr

from app.settings import Settings
from tests.chaos.fleet import SECRET_KEY
from tests.waiting import PATIENCE_S

NETWORK = "10.213.7.0/24"
HOST_A, HOST_B = "10.213.7.1", "10.213.7.2"
API_PORT = 8000
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
DATABASE_URL = f"postgresql://tranche@{HOST_A}:5432/postgres"
# The other end is taken for gone after twice as long.
KEEPALIVE_S = 6


def server_programs() -> Path | None:
    """Where PostgreSQL's own programs lie: distributions keep them out of the PATH."""
    places = [Path(found).parent for found in [shutil.which("initdb")] if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


def missing() -> str:
    """What two machines cannot be made without, empty where all is there."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "Linux and root"
    for program, package in (("ip", "iproute2"), ("unshare", "util-linux"), ("runuser", "util-linux")):
        if shutil.which(program) is None:
            return f"{program} ({package})"
    if server_programs() is None:
        return "initdb (PostgreSQL's server)"
    tried = ["unshare", "--net", "--uts", "--pid", "--fork", "ip", "link", "add", "br0", "type", "bridge"]
    if subprocess.run(tried, capture_output=True, check=False).returncode:
        return "the right to make network namespaces and bridges"
    return ""


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """The sockets, threads and processes that this thread makes until the end of the block are of that machine."""
    with Path("/proc/thread-self/ns/net").open() as home, Path("/run/netns", namespace).open() as there:
        enter(there.fileno())
        try:
            yield
        finally:
            enter(home.fileno())


def enter(namespace: int) -> None:
    if LIBC.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "cannot enter a network namespace")


@dataclass
class Machines:
    """Host a has the database; `a`, `b` and `switch` are their namespaces."""

    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    a: str = f"tranche-a-{os.getpid()}"
    b: str = f"tranche-b-{os.getpid()}"
    switch: str = f"tranche-s-{os.getpid()}"

    @property
    def settings(self) -> Settings:
        return Settings(
            database_url=DATABASE_URL,
            keepalive_s=KEEPALIVE_S,
            outbound_allow=(ip_network(NETWORK),),
            secret_keys=(SecretStr(SECRET_KEY),),
        )

    def build(self) -> None:
        run("ip", "netns", "add", self.switch)
        run("ip", "-n", self.switch, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", self.switch, "link", "set", "bridge", "up")
        for name, port, address in ((self.a, "to-a", HOST_A), (self.b, "to-b", HOST_B)):
            run("ip", "netns", "add", name)
            run("ip", "link", "add", "eth", "netns", name, "type", "veth", "peer", "name", port, "netns", self.switch)
            run("ip", "-n", self.switch, "link", "set", port, "up", "master", "bridge")
            run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth")
            for link in ("lo", "eth"):
                run("ip", "-n", name, "link", "set", link, "up")

    def cut(self) -> None:
        """Whatever one host sends the other is lost, and neither is told."""
        run("ip", "-n", self.switch, "link", "set", "to-b", "nomaster")

    def mend(self) -> None:
        run("ip", "-n", self.switch, "link", "set", "to-b", "master", "bridge")

    def start(
        self, namespace: str, hostname: str, *words: str, container: bool = False, **environment: str
    ) -> subprocess.Popen[bytes]:
        """A process of the service. container: with process ids of its own."""
        ours = os.environ | {
            "TRANCHE_DATABASE_URL": DATABASE_URL,
            "TRANCHE_SECRET_KEY": SECRET_KEY,
            "TRANCHE_OUTBOUND_ALLOW": NETWORK,
            "TRANCHE_JOB_POLL_S": "0.1",
            "TRANCHE_KEEPALIVE_S": str(KEEPALIVE_S),
        }
        apart = ["unshare", "--uts", *(["--pid", "--fork", "--kill-child", "--mount-proc"] if container else [])]
        named = ["sh", "-c", 'hostname "$0" && exec "$@"', hostname, sys.executable, "-m", "app", *words]
        with inside(namespace), (self.folder / f"{hostname}-{len(self.running)}.log").open("wb") as log:
            made = subprocess.Popen(
                [*apart, *named], env=ours | environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.running.append(made)
        return made

    def end(self) -> None:
        for process in self.running:
            process.kill()
        for process in self.running:
            process.wait(PATIENCE_S)
        for name in (self.a, self.b, self.switch):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@contextmanager
def database_on(namespace: str) -> Iterator[None]:
    """A PostgreSQL of that machine, empty, which no power cut will meet."""
    programs = server_programs()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="tranche-hosts-"))
    shutil.chown(folder, "postgres")
    data, log = folder / "data", folder / "log"
    as_postgres = ["runuser", "-u", "postgres", "--"]
    run(*as_postgres, str(programs / "initdb"), "-D", str(data), "-U", "tranche", "-A", "trust", "--no-sync")
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {NETWORK} trust\n")
    options = f"-h {HOST_A} -k {folder} -F -c synchronous_commit=off"
    control = [*as_postgres, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    with inside(namespace):
        subprocess.run([*control, "-l", str(log), "-o", options, "start"], check=True, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        run(*control, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@contextmanager
def machines(folder: Path) -> Iterator[Machines]:
    made = Machines(folder)
    try:
        made.build()
        with database_on(made.a):
            try:
                yield made
            finally:
                # Before the database goes.
                for process in made.running:
                    process.kill()
    finally:
        made.end()
