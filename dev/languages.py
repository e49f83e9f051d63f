"""The languages that Twofold has a client in, and which of them can be built here: `python -m dev.languages`.

Prints those whose toolchain is there, one a line. A missing one is an error where CI=true, and a line elsewhere.
Arguments: languages, all by default.
"""

import os
import shutil
import sys

TOOLS = {
    "python": (),
    "go": ("go",),
    "typescript": ("node", "npm"),
    "java": ("java", "javac", "mvn"),
}
"""What each language's client is built with."""


class Missing(Exception):
    """A client cannot be built here, and must be; or there is none in that language."""


def chosen(names: str = "") -> list[str]:
    """Those of these languages (all, if none is named) whose toolchain is there; says on standard error which is not.

    Raises Missing for an unknown language, and where CI=true for a toolchain that is not there.
    """
    languages = names.split() or list(TOOLS)
    if unknown := [language for language in languages if language not in TOOLS]:
        raise Missing(f"no client is written in {', '.join(unknown)}: choose of {', '.join(TOOLS)}")
    absent = {language: [tool for tool in TOOLS[language] if shutil.which(tool) is None] for language in languages}
    missing = {language: tools for language, tools in absent.items() if tools}
    lines = [f"the {language} client needs {' and '.join(tools)}" for language, tools in missing.items()]
    if lines and os.environ.get("CI") == "true":
        raise Missing("; ".join(lines))
    for line in lines:
        print(f"{line}: left out", file=sys.stderr)
    return [language for language in languages if language not in missing]


def main(arguments: list[str]) -> int:
    """Print the languages; 0, or 1 with the reason on standard error."""
    try:
        print("\n".join(chosen(" ".join(arguments))))
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
