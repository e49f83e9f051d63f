"""Write what is generated, or with `--check` tell whether what is in the tree is what it would write.

Each client's stubs of the contract, and the one version wherever it stands. Arguments: languages, all by default.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dev import version
from dev.environment import ROOT, EnvironmentFailed
from dev.languages import Missing, chosen
from dev.stubs import Fresh, clients, python


def main() -> int:
    """Generate or check; 0, or 1 with what differs on standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if something is not fresh")
    parser.add_argument("languages", nargs="*")
    arguments = parser.parse_args()
    try:
        stale: Fresh = {}
        for make in _makers(" ".join(arguments.languages)):
            with tempfile.TemporaryDirectory(prefix="twofold-generated-") as folder:
                stale |= differences(make(Path(folder)))
    except (EnvironmentFailed, Missing) as failure:
        print(failure, file=sys.stderr)
        return 1
    for name, content in sorted(stale.items()):
        if arguments.check:
            print(f"not fresh: {name}", file=sys.stderr)
        elif content is None:
            (ROOT / name).unlink()
            print(f"removed {name}")
        else:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_bytes(content)
            print(f"wrote {name}")
    if arguments.check and stale:
        print("Run `make generate` and commit the result.", file=sys.stderr)
        return 1
    return 0


def _makers(languages: str) -> list[Callable[[Path], Fresh]]:
    by_language: list[Callable[[Path], Fresh]] = [
        python.fresh if language == "python" else partial(clients.fresh, language)
        for language in chosen(languages)
        if language == "python" or (ROOT / "clients" / language / "Makefile").is_file()
    ]
    return [lambda _: version.fresh(), *by_language]


def differences(fresh: Fresh) -> Fresh:
    """Those of the files that are missing, stale or left over in the tree."""
    return {name: content for name, content in fresh.items() if content != _present(ROOT / name)}


def _present(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
