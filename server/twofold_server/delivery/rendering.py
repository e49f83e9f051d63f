"""Templates: jinja in a sandbox, from the server or an operator's directory; never from a realm or a user."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final, Self

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

FALLBACK_LANGUAGE: Final = "en"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message in words; `html` is None where the language has no such template."""

    subject: str
    text: str = field(repr=False)
    html: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A time span as it is said: the largest unit of which there are two, such as 2 `day` or 30 `minute`."""

    count: int
    unit: str

    @classmethod
    def of(cls, span: timedelta) -> Self:
        minutes = max(0, round(span.total_seconds() / 60))
        if minutes >= 2 * 24 * 60:
            return cls(minutes // (24 * 60), "day")
        if minutes >= 2 * 60:
            return cls(minutes // 60, "hour")
        return cls(minutes, "minute")


class BrokenTemplateError(Exception):
    """A template does not compile; the text names it, and the line."""


class Templates:
    """Every template, compiled at the start: what an operator wrote wrongly stops the server, not a mail.

    `<language>/<template>.subject`, `.txt` and `.html`. A file in the operator's `directory` comes before the server's
    own of the same name. HTML is escaped automatically; values are data, so that template syntax in them stays text.
    """

    __slots__ = ("_environment", "_names")

    def __init__(self, directory: Path | None = None) -> None:
        """Raises BrokenTemplateError; FileNotFoundError where `directory` is none."""
        if directory is not None and not directory.is_dir():
            raise FileNotFoundError(f"no directory of templates at {directory}")
        shipped = Path(str(files("twofold_server.delivery") / "templates"))
        self._environment = ImmutableSandboxedEnvironment(
            loader=jinja2.FileSystemLoader([directory, shipped] if directory else [shipped]),
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            cache_size=-1,
            # No look at the file system, which blocks, for each mail.
            auto_reload=False,
        )
        self._environment.filters["utc"] = utc
        self._names = frozenset(self._environment.list_templates(extensions=["subject", "txt", "html"]))
        for name in sorted(self._names):
            try:
                self._environment.get_template(name)
            except jinja2.TemplateSyntaxError as error:
                raise BrokenTemplateError(f"{name}, line {error.lineno}: {error.message}") from None

    def render(self, template: str, languages: tuple[str, ...], values: Mapping[str, object]) -> Rendered:
        """Render `template` in the first of `languages` (BCP 47) that has it; `pt-BR` falls back on `pt`, then English.

        Raises jinja2.TemplateError where a template asks for what there is not.
        """
        language = self._language(template, languages)
        stem = f"{language}/{template}"
        context = dict(values)
        subject = self._environment.get_template(f"{stem}.subject").render(context).strip()
        text = self._environment.get_template(f"{stem}.txt").render(context)
        html = f"{stem}.html"
        return Rendered(
            subject, text, self._environment.get_template(html).render(context) if html in self._names else None
        )

    def _language(self, template: str, languages: tuple[str, ...]) -> str:
        for language in languages:
            parts = language.lower().split("-")
            for end in range(len(parts), 0, -1):
                found = "-".join(parts[:end])
                if {f"{found}/{template}.txt", f"{found}/{template}.subject"} <= self._names:
                    return found
        return FALLBACK_LANGUAGE


def utc(time: datetime) -> str:
    """Write a time so that every language reads it: `2026-11-24 03:46 UTC`."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
