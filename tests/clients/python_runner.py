"""The runner of the Python client: `python -m tests.clients.python_runner story|sample|bench CONFIG`.

What each command does stands in clients/scenario/README.md.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

_COMMANDS: Final = ("story", "sample", "bench")


def main(arguments: list[str]) -> int:
    """Run a command; its exit code, 2 where the arguments name none."""
    if len(arguments) != 2 or arguments[0] not in _COMMANDS:
        print(f"usage: clients/python/runner {'|'.join(_COMMANDS)} CONFIG", file=sys.stderr)
        return 2
    command, path = arguments
    config = json.loads(Path(path).read_text(encoding="utf-8"))
    # Loaded by name: a bench measures nothing of what the others need.
    code: int | None = import_module(f"tests.clients.python_{command}").main(config)
    return code or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
