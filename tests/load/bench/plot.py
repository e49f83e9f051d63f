"""The rows as a picture: how far each stands from its goal, as SVG written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tests.load.bench.rows import Row

_WIDTH, _LINE, _LEFT, _RIGHT = 980, 26, 480, 130
_MOST = 2.0
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.small{font-size:11px;fill:#59636e}"
    ".met{fill:#2da44e}.missed{fill:#cf222e}.goal{stroke:#1f2328;stroke-width:1.5;stroke-dasharray:3 3}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.goal{stroke:#e6edf3}}"
)


def draw(rows: Sequence[Row]) -> str:
    """Draw a bar a row: its value in parts of its goal, or for what should be low its goal in parts of its value.

    So a bar that passes the line at 1 has met its goal; beyond twice the goal it is cut.
    """
    shown = [row for row in rows if row.value is not None and row.goal is not None]
    height = _LINE * (len(shown) + 2)
    goal = _LEFT + _span() / _MOST
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>Each row against its goal</title><style>{_STYLE}</style>",
        f'<text class="small" x="{goal:.0f}" y="14" text-anchor="middle">goal</text>',
    ]
    for place, row in enumerate(shown):
        parts += _bar(row, _LINE * (place + 1))
    parts.append(f'<line class="goal" x1="{goal:.0f}" x2="{goal:.0f}" y1="20" y2="{height - _LINE + 4}"/>')
    parts.append(f'<text class="small" x="{_LEFT}" y="{height - 8}">right of the line: met; cut at twice</text>')
    return "\n".join([*parts, "</svg>", ""])


def _span() -> int:
    return _WIDTH - _LEFT - _RIGHT


def _bar(row: Row, top: int) -> list[str]:
    assert row.value is not None
    assert row.goal is not None
    share = row.value / row.goal if row.better == "high" else row.goal / row.value if row.value else _MOST
    length = max(1.0, min(share, _MOST) / _MOST * _span())
    kind = "met" if row.met else "missed"
    unit = f" {row.unit}" if row.unit else ""
    sign = "≥" if row.better == "high" else "≤"
    text = f"{row.value:.3g}{unit} ({sign} {row.goal:g}{unit})"
    return [
        f'<text x="{_LEFT - 10}" y="{top + 15}" text-anchor="end">{escape(row.name)}</text>',
        f'<rect class="{kind}" x="{_LEFT}" y="{top + 3}" width="{length:.1f}" height="17" rx="2"/>',
        f'<text class="small" x="{_LEFT + length + 6:.1f}" y="{top + 15}">{escape(text)}</text>',
    ]
