"""Each client's verifier on one core, beside what nothing of its kind can pass: `python -m tests.load.verifiers`.

`new` is `verify` of tokens never seen, held against a bare P-256 verification by the library that the client uses;
`seen` is `verify` of tokens seen, held against SHA-256 of the token and a look-up in a map. Each line comes of one run,
pinned to one processor where the machine can. Arguments: languages, all by default. Behind `make bench-verifiers`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from dev.environment import ROOT
from dev.languages import Missing, chosen

_SECONDS: Final = 300
_COLUMNS: Final = ("raw_p256", "new", "new/raw", "hash_and_map", "seen", "seen/hash")
# A bench needs no server: it is told nothing of one.
_CONFIG: Final[dict[str, Any]] = {
    "target": "localhost:9",
    "credential": None,
    "root_certificates": None,
    "client_certificate": None,
    "client_key": None,
    "realm_id": "default",
    "audience": "twofold",
    "helper": "",
    "story": "",
    "variables": {},
}


class NotMeasured(Exception):
    """A client's bench failed; the text says how."""


def main() -> int:
    """Measure, and print the table; 0, or 1 with the reason on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the rates to this file too")
    parser.add_argument("languages", nargs="*")
    arguments = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    try:
        languages = chosen(" ".join(arguments.languages))
        print("".join(f"{column:>14}" for column in ("", *_COLUMNS)), flush=True)
        for language in languages:
            rates = found[language] = measured(language)
            cells = [f"{rates[name]:,.2f}" if "/" in name else f"{rates[name]:,.0f}" for name in _COLUMNS]
            print("".join(f"{cell:>14}" for cell in (language, *cells)), flush=True)
    except (Missing, NotMeasured) as failure:
        print(failure, file=sys.stderr)
        return 1
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def measured(language: str) -> dict[str, float]:
    """A client's rates a second, and their ratios to the limits of the same run. Raises NotMeasured."""
    client = ROOT / "clients" / language
    if (client / "Makefile").is_file():
        _done(["make", "--no-print-directory", "-C", client, "build"])
    with tempfile.NamedTemporaryFile("w", suffix=".json") as config:
        config.write(json.dumps(_CONFIG))
        config.flush()
        said = _done([*_one_core(), client / "runner", "bench", config.name])
    try:
        rates: dict[str, Any] = json.loads(said)
        return {name: float(rates[name]) for name in ("raw_p256", "hash_and_map", "new", "seen")} | {
            "new/raw": rates["new"] / rates["raw_p256"],
            "seen/hash": rates["seen"] / rates["hash_and_map"],
        }
    except (ValueError, KeyError, TypeError, ZeroDivisionError):
        raise NotMeasured(f"the {language} bench printed no rates: {said[:200]!r}") from None


def _one_core() -> list[str]:
    if shutil.which("taskset") is None or not hasattr(os, "sched_getaffinity"):
        return []
    return ["taskset", "-c", str(min(os.sched_getaffinity(0)))]


def _done(command: list[str | Path]) -> str:
    words = " ".join(map(str, command))
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise NotMeasured(f"{words}: not done in {_SECONDS} s") from None
    if done.returncode:
        raise NotMeasured(f"{words} failed:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
