"""Comments as Markdown: what they name is linked, what Markdown would take for markup is escaped."""

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass

from dev.reference.contract import Enum, File, Message

REASON_PREFIX = "ERROR_REASON_"
_REASONS_PAGE = "errors.md"
_WORD = re.compile(r"(`[^`]*`)|\b([A-Z][A-Za-z0-9]+|[A-Z][A-Z_]+)\b")


@dataclass(frozen=True)
class Page:
    """Where a text stands: the page's path under docs/ and what it need not link to."""

    path: str
    own: str = ""

    def to(self, path: str, anchor: str) -> str:
        """The address of a heading of `path`, also under docs/, seen from here."""
        if path == self.path:
            return f"#{anchor}"
        return f"{posixpath.relpath(path, posixpath.dirname(self.path))}#{anchor}"

    def about(self, name: str) -> "Page":
        """The same place, in the text about `name`."""
        return Page(self.path, name)


def file_path(file: File) -> str:
    """The page of a file, under docs/."""
    return f"reference/{file.stem}.md"


class Links:
    """Where each method, type and reason of the contract is explained."""

    def __init__(self, files: Iterable[File]) -> None:
        """Find the heading of each."""
        self._words: dict[str, tuple[str, str]] = {}
        self._types: dict[str, tuple[str, str]] = {}
        self._headings: dict[tuple[str, str], str] = {}
        for file in files:
            path = file_path(file)
            methods = {method.name for service in file.services for method in service.methods}
            self._words |= {name: (path, anchor(name)) for name in methods}
            items: tuple[Message | Enum, ...] = (*file.messages, *file.enums)
            for item in items:
                heading = f"{item.name} ({_sort(item)})" if item.name in methods else item.name
                self._headings[(path, item.name)] = heading
                self._types[item.name] = (path, anchor(heading))
            for enum in file.enums:
                if enum.name == "ErrorReason":
                    names = [value.name.removeprefix(REASON_PREFIX) for value in enum.values if value.number]
                    self._words |= {name: (_REASONS_PAGE, anchor(name)) for name in names}
                    self._types[enum.name] = (_REASONS_PAGE, "error-reasons")

    def heading(self, file: File, item: Message | Enum) -> str:
        """The heading of a message or enum; unlike that of any method of its page."""
        return self._headings[(file_path(file), item.name)]

    def type(self, name: str, page: Page) -> str:
        """A type's name, linked where the contract defines it."""
        if name not in self._types:
            return f"`{name.removeprefix('google.protobuf.')}`"
        return f"[`{name}`]({page.to(*self._types[name])})"

    def word(self, name: str, page: Page) -> str:
        """A method's or reason's name, linked."""
        return f"[{name}]({page.to(*self._words[name])})"

    def text(self, comment: str, page: Page) -> str:
        """A comment as Markdown; each method and reason is linked where it is named first."""
        seen = {page.own}

        def replaced(found: re.Match[str]) -> str:
            code, name = found.groups()
            if code or name in seen or name not in self._words:
                return found[0]
            seen.add(name)
            return self.word(name, page)

        return _WORD.sub(replaced, _escaped(comment))

    def cell(self, comment: str, page: Page) -> str:
        """`text` for a table."""
        return self.text(comment, page).replace("|", "\\|").replace("\n\n", "<br><br>")


def anchor(heading: str) -> str:
    """The anchor that a heading has where Markdown is shown."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _escaped(comment: str) -> str:
    parts = re.split(r"(`[^`]*`)", comment)
    return "".join(part if part.startswith("`") else re.sub(r"([*<>\[\]])", r"\\\1", part) for part in parts)


def _sort(item: Message | Enum) -> str:
    return "message" if isinstance(item, Message) else "enum"
