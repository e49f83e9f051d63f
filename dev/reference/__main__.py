"""Write docs/reference and docs/errors.md, or with `--check` tell whether those in the tree are what it would write."""

import argparse
import sys

from dev.environment import ROOT
from dev.reference.contract import ContractUnreadable, read
from dev.reference.pages import reference
from dev.reference.reasons import errors

_DOCS = ROOT / "docs"


def main() -> int:
    """Write or check; 0, or 1 with what differs on standard error."""
    parser = argparse.ArgumentParser(prog="python -m dev.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the pages are not fresh")
    check = parser.parse_args().check
    try:
        files = read()
        fresh = reference(files) | errors(files)
    except ContractUnreadable as failure:
        print(failure, file=sys.stderr)
        return 1
    present = {str(path.relative_to(_DOCS)) for path in (_DOCS / "reference").glob("*.md")}
    changed = sorted(path for path in present | fresh.keys() if _text(path) != fresh.get(path))
    for path in changed:
        if check:
            print(f"not fresh: docs/{path}", file=sys.stderr)
        elif path in fresh:
            (_DOCS / path).parent.mkdir(parents=True, exist_ok=True)
            (_DOCS / path).write_text(fresh[path], encoding="utf-8")
            print(f"wrote docs/{path}")
        else:
            (_DOCS / path).unlink()
            print(f"removed docs/{path}")
    if check and changed:
        print("Run `make generate` and commit the result.", file=sys.stderr)
    return 1 if check and changed else 0


def _text(path: str) -> str | None:
    file = _DOCS / path
    return file.read_text(encoding="utf-8") if file.exists() else None


if __name__ == "__main__":
    sys.exit(main())
