"""What the kernel says of processes: processor time by part, memory, cores."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ServerTime:
    """Processor seconds of a server so far: its event loop, its hash threads (of a lower priority), the rest."""

    loop: float
    hashing: float
    rest: float

    @property
    def total(self) -> float:
        return self.loop + self.hashing + self.rest

    def since(self, before: ServerTime) -> ServerTime:
        """What came on top."""
        return ServerTime(self.loop - before.loop, self.hashing - before.hashing, self.rest - before.rest)


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def server_time(pid: int) -> ServerTime:
    """Read a server's processor time, thread by thread."""
    loop = hashing = rest = 0.0
    usual = _nice(_stat(_PROC / str(pid) / "stat"))
    for folder in (_PROC / str(pid) / "task").iterdir():
        try:
            fields = _stat(folder / "stat")
        except OSError:
            continue
        seconds = (int(fields[11]) + int(fields[12])) * _TICK
        if int(folder.name) == pid:
            loop += seconds
        elif _nice(fields) > usual:
            hashing += seconds
        else:
            rest += seconds
    return ServerTime(loop, hashing, rest)


def family_time(pid: int) -> float:
    """Read the processor seconds of a process and its children, those that have ended among them: a PostgreSQL's."""
    fields = _stat(_PROC / str(pid) / "stat")
    ticks = sum(int(field) for field in fields[11:15])
    for child in children(pid):
        try:
            fields = _stat(_PROC / str(child) / "stat")
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks * _TICK


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are there."""
    found: list[int] = []
    for thread in (_PROC / str(pid) / "task").iterdir():
        found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def pin(pid: int, to: set[int]) -> None:
    """Keep a process, its threads and its children on some cores."""
    for process in (pid, *children(pid)):
        for thread in (_PROC / str(process) / "task").iterdir():
            os.sched_setaffinity(int(thread.name), to)


def memory(pid: int) -> dict[str, float]:
    """A process's memory in MB: its own share (PSS), what is its alone (USS), and all that it sees (RSS)."""
    found: dict[str, float] = {}
    for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]:
        name, _, value = line.partition(":")
        found[name] = int(value.split()[0]) * 1024 / 1e6
    return {
        "pss_mb": round(found["Pss"], 1),
        "uss_mb": round(found["Private_Clean"] + found["Private_Dirty"], 1),
        "rss_mb": round(found["Rss"], 1),
    }


def description() -> dict[str, object]:
    """What the figures were taken on."""
    info = (_PROC / "cpuinfo").read_text()
    model = next((line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")), "")
    return {
        "processor": model or platform.processor(),
        "cores": len(cores()),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "vector_units": [unit for unit in ("avx2", "avx512f") if f" {unit} " in info],
    }


def _stat(path: Path) -> list[str]:
    # The name in parentheses may hold anything; what follows the last one is fields from the third on.
    return path.read_text().rpartition(") ")[2].split()


def _nice(fields: list[str]) -> int:
    return int(fields[16])
