"""Quick starts of README files: the code blocks between two markers, and the shell script that they are together.

A reader works in one terminal from top to bottom: writes the files, runs the commands. So does the script.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

BEGIN = "<!-- quick start -->"
END = "<!-- end of quick start -->"
_BLOCK = re.compile(r"^```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"\s*(?:#|//|/\*|<!--|--)\s*file:\s*(?P<path>\S+)")
_TERMINAL = re.compile(r"#\s*in a terminal of its own\b", re.IGNORECASE)
# No program ends with this line.
_END_OF_FILE = "END-OF-THE-FILE-OF-A-QUICK-START"


class NoQuickStart(Exception):
    """A README has no quick start that can be run; the text says why."""


@dataclass(frozen=True)
class Block:
    """One code block: the file that it is, or commands; `line` is where it stands in its README."""

    line: int
    text: str
    file: str | None = None

    @property
    def goes_on(self) -> bool:
        """Whether it runs on in a terminal of its own, as its first line then says."""
        return self.file is None and _TERMINAL.match(self.text) is not None


def read(readme: Path) -> list[Block]:
    """The blocks of a README's quick start. Blocks of `text` show output, and are left out.

    Raises NoQuickStart.
    """
    if not readme.exists():
        raise NoQuickStart(f"{readme} is not there")
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise NoQuickStart(f"{readme} needs one {BEGIN} and one {END} behind it")
    begin, end = text.index(BEGIN), text.index(END)
    blocks = []
    for found in _BLOCK.finditer(text, begin, end):
        line = text.count("\n", 0, found.start()) + 1
        if found["language"] == "text":
            continue
        if found["language"] == "sh":
            blocks.append(Block(line, found["text"]))
        elif named := _FILE.match(found["text"]):
            blocks.append(Block(line, found["text"], _inside(named["path"], readme, line)))
        else:
            raise NoQuickStart(f"{readme}:{line}: neither ```sh nor a first line such as `# file: main.py`")
    if not blocks:
        raise NoQuickStart(f"{readme} has no code block in its quick start")
    return blocks


def script(blocks: list[Block]) -> str:
    """One POSIX shell script that does what the blocks say, in order, and ends at the first failure."""
    parts = ["set -e\n"]
    for block in blocks:
        if block.file is None:
            parts.append(f"echo '-- line {block.line}'\n{block.text}")
            continue
        parts.append(f"echo '-- line {block.line}: {block.file}'\n")
        if folder := str(PurePosixPath(block.file).parent):
            parts.append(f"mkdir -p {shlex.quote(folder)}\n")
        parts.append(f"cat >{shlex.quote(block.file)} <<'{_END_OF_FILE}'\n{block.text}{_END_OF_FILE}\n")
    return "".join(parts)


def _inside(path: str, readme: Path, line: int) -> str:
    if not re.fullmatch(r"[\w./-]+", path) or path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise NoQuickStart(f"{readme}:{line}: {path} is no file of the folder that the quick start runs in")
    return path
