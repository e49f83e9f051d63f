"""Quick starts of README files are run as a reader would: in order, in one terminal, files written before their use."""

import subprocess
from pathlib import Path

import pytest

from dev.quick_start import BEGIN, END, Block, NoQuickStart, read, script


def _readme(folder: Path, text: str, around: tuple[str, str] = (BEGIN, END)) -> Path:
    readme = folder / "README.md"
    readme.write_text(f"# Title\n\n```sh\nexit 1\n```\n\n{around[0]}\n\n{text}\n\n{around[1]}\n\n```sh\nexit 1\n```\n")
    return readme


def test_only_what_stands_between_the_markers_is_read(tmp_path: Path) -> None:
    """Blocks before and after the quick start, and shown output within it, are left out."""
    readme = _readme(tmp_path, "```sh\necho one\n```\n\nprints\n\n```text\none\n```")
    assert read(readme) == [Block(9, "echo one\n")]


def test_a_block_with_a_name_is_a_file(tmp_path: Path) -> None:
    """The first line names the file in whatever comment its language has; folders are allowed."""
    readme = _readme(tmp_path, "```java\n// file: src/main/java/App.java\nclass App {}\n```")
    assert read(readme)[0].file == "src/main/java/App.java"
    readme = _readme(tmp_path, "```xml\n<!-- file: pom.xml -->\n<project/>\n```")
    assert read(readme)[0].file == "pom.xml"


def test_a_block_in_a_terminal_of_its_own_goes_on(tmp_path: Path) -> None:
    """Its first line says so to the reader, and so to whoever runs it."""
    readme = _readme(
        tmp_path, "```sh\n# In a terminal of its own: until Ctrl-C.\nmake run\n```\n\n```sh\nmake demo\n```"
    )
    assert [block.goes_on for block in read(readme)] == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        "nothing to run",
        "```python\nprint(1)\n```",
        "```go\n// file: ../main.go\n```",
        "```go\n// file: /tmp/main.go\n```",
    ],
)
def test_what_cannot_be_run_is_refused(tmp_path: Path, text: str) -> None:
    """A quick start without blocks, a block without a name, a file outside the folder."""
    with pytest.raises(NoQuickStart):
        read(_readme(tmp_path, text))


@pytest.mark.parametrize("around", [("", ""), (BEGIN, ""), (END, BEGIN), (BEGIN + BEGIN, END)])
def test_a_readme_without_its_markers_is_refused(tmp_path: Path, around: tuple[str, str]) -> None:
    """A quick start that nobody runs would rot unseen."""
    with pytest.raises(NoQuickStart, match=r"README\.md"):
        read(_readme(tmp_path, "```sh\necho\n```", around))


def test_the_script_is_one_terminal(tmp_path: Path) -> None:
    """Folders, variables and files of earlier blocks are there in later ones, files letter by letter."""
    text = 'it\'s "$HOME" `date` \\\n'
    blocks = [
        Block(1, "mkdir inner\ncd inner\nname=Ada\n"),
        Block(5, text, "deep/er/file.txt"),
        Block(9, 'echo "$name" >>deep/er/file.txt\n'),
    ]
    subprocess.run(["sh", "-c", script(blocks)], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / "inner" / "deep" / "er" / "file.txt").read_text() == f"{text}Ada\n"


def test_the_script_ends_at_the_first_failure(tmp_path: Path) -> None:
    """What comes after a command that failed is not done."""
    done = subprocess.run(
        ["sh", "-c", script([Block(1, "false\n"), Block(2, "touch later\n")])], cwd=tmp_path, check=False
    )
    assert done.returncode
    assert not (tmp_path / "later").exists()
