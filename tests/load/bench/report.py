"""What a run came to, as a table, as JSON and as a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.load.bench.plot import draw
from tests.load.bench.rows import Row

_WIDTH = 160


@dataclass(frozen=True, slots=True)
class Report:
    """A run: what it ran on and with, its rows, and what was wrong."""

    about: Mapping[str, Any]
    rows: Sequence[Row]
    faults: Sequence[str]
    seconds: float

    def show(self, console: Console) -> None:
        """Print the table; in colour at a terminal, plain where it is piped."""
        table = Table(title="Twofold: what the calls reach against limits of the same run", title_justify="left")
        table.add_column("row", no_wrap=True)
        for name in ("value", "goal", "", "calls/s", "p50 ms", "p99 ms", "errors", "server ms", "db ms", "load ms"):
            table.add_column(name, justify="right", no_wrap=True)
        for row in self.rows:
            table.add_row(row.name, _value(row), _goal(row), _verdict(row, colour=console.is_terminal), *_figures(row))
        console.print(table)
        console.print(
            "server, db, load: processor time of one call. A value without a unit is a ratio.", highlight=False
        )
        for row in self.rows:
            for name, part in row.more.items():
                console.print(f"  {row.name}: {name} = {_plain(part)}", highlight=False, soft_wrap=True)
        for name, part in self.about.items():
            console.print(f"{name}: {_plain(part)}", highlight=False, soft_wrap=True)
        for fault in self.faults:
            console.print(f"FAULT {fault}", style="bold red", highlight=False, soft_wrap=True)
        missed = sum(row.met is False for row in self.rows)
        console.print(f"{missed} goals missed, {len(self.faults)} faults, {self.seconds:.0f} s", highlight=False)

    def write(self, folder: Path) -> None:
        """Write `latest.json` and `latest.svg`."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = [{**{k: _rounded(v) for k, v in asdict(row).items()}, "met": row.met} for row in self.rows]
        found = {"about": self.about, "rows": rows, "faults": list(self.faults), "seconds": round(self.seconds)}
        (folder / "latest.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
        (folder / "latest.svg").write_text(draw(self.rows))


def console() -> Console:
    """Where the table goes: as wide as it needs to be."""
    found = Console()
    return found if found.is_terminal and found.width >= _WIDTH else Console(width=_WIDTH + 20)


def _value(row: Row) -> str:
    if row.value is None:
        return "not measured"
    return f"{row.value:.1f} {row.unit}" if row.unit else f"{row.value:.3f}"


def _goal(row: Row) -> str:
    if row.goal is None:
        return ""
    return f"{'>=' if row.better == 'high' else '<='} {row.goal:g} {row.unit}".rstrip()


def _verdict(row: Row, *, colour: bool) -> str:
    if row.met is None:
        return ""
    if not colour:
        return "met" if row.met else "MISSED"
    return "[green]met[/green]" if row.met else "[red]MISSED[/red]"


def _figures(row: Row) -> list[str]:
    def text(value: float | None, digits: int) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    return [
        text(row.rate, 0), text(row.p50_ms, 1), text(row.p99_ms, 1), str(row.errors) if row.rate is not None else "",
        text(row.server_ms, 2), text(row.database_ms, 2), text(row.load_ms, 2),
    ]  # fmt: skip


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return " ".join(_plain(part) for part in value)
    return str(value)


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
