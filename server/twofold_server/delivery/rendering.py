"""Words of a message: texts by language, set in templates; jinja in a sandbox, from the server or an operator alone."""

import functools
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Final

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from twofold_server.crypto.names import clean_name
from twofold_server.delivery import gsm7, texts
from twofold_server.delivery.texts import Catalogue, Lifetime

_WIDTH: Final = 76
_SMS_NAME: Final = 24
_PARTS: Final = ("subject", "txt", "html")
_NO_TEXTS: Final[Mapping[str, Catalogue]] = {}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message in words; `html` is None where an operator's language has no such template."""

    subject: str
    text: str = field(repr=False)
    html: str | None = field(repr=False)


class BrokenTemplateError(Exception):
    """A template does not compile; the text names it, and the line."""


class Templates:
    """Every template, compiled at the start: what an operator wrote wrongly stops the server, not a mail.

    The texts of `catalogues/` stand in `mail.txt` and `mail.html`. Files of the operator's `directory` come first:
    those two, or `<language>/<template>.subject`, `.txt` and `.html` of one message in full. HTML is escaped
    automatically; values are data, so that template syntax in them stays text.
    """

    __slots__ = ("_environment", "_names")

    def __init__(self, directory: Path | None = None) -> None:
        """Raises BrokenTemplateError; FileNotFoundError where `directory` is none."""
        if directory is not None and not directory.is_dir():
            raise FileNotFoundError(f"no directory of templates at {directory}")
        self._environment, self._names = _shipped() if directory is None else _compiled(directory)
        for language in texts.LANGUAGES:
            texts.catalogue(language)

    def render(
        self,
        template: str,
        languages: tuple[str, ...],
        values: Mapping[str, object],
        own: Mapping[str, Catalogue] = _NO_TEXTS,
    ) -> Rendered:
        """Render a mail in the first of `languages` (BCP 47) that there is; `pt-BR` falls back on `pt`, then English.

        `own` are a realm's texts by language. Raises jinja2.TemplateError where a template asks for what there is not.
        """
        language = self._language(template, languages)
        context = dict(values)
        found: dict[str, str | None] = dict.fromkeys(_PARTS)
        if language in texts.LANGUAGES:
            words = _Words(template, language, values, own)
            shown = words.context()
            found = {
                "subject": words.text("subject"),
                "txt": self._environment.get_template("mail.txt").render(shown),
                "html": self._environment.get_template("mail.html").render(shown),
            }
        for part in _PARTS:
            if (name := f"{language}/{template}.{part}") in self._names:
                found[part] = self._environment.get_template(name).render(context)
        return Rendered(clean_name(found["subject"] or "", limit=200), found["txt"] or "", found["html"])

    def render_sms(
        self,
        template: str,
        languages: tuple[str, ...],
        values: Mapping[str, object],
        own: Mapping[str, Catalogue] = _NO_TEXTS,
        code_domain: str = "",
    ) -> str:
        """Render a text message; a code's ends with `@domain #code` where a domain is given, so that phones fill it in.

        The product's name is cut to 24 characters, and its accents go where that makes one segment of two.
        """
        language = next(found for found in texts.candidates(languages) if found in texts.LANGUAGES)
        # The kind of a factor, never the name that a user gave it: neither length nor words are theirs to choose here.
        product = gsm7.fold(clean_name(str(values["product"]), limit=_SMS_NAME))
        short = dict(values) | {"product": product, "factor_name": ""}
        words = _Words(template, language, short, own, fold=True)
        text = words.text("sms")
        code = str(values.get("code") or "")
        return f"{text}\n@{code_domain} #{code}" if code and code_domain else text

    def _language(self, template: str, languages: tuple[str, ...]) -> str:
        for language in texts.candidates(languages):
            whole = {f"{language}/{template}.txt", f"{language}/{template}.subject"} <= self._names
            if whole or language in texts.LANGUAGES:
                return language
        return texts.FALLBACK_LANGUAGE


class _Words:
    """The texts of one message with its values in them."""

    def __init__(
        self,
        template: str,
        language: str,
        values: Mapping[str, object],
        own: Mapping[str, Catalogue],
        *,
        fold: bool = False,
    ) -> None:
        self._template = template
        self._language = language
        self._values = values
        self._texts: Catalogue = {**texts.catalogue(language), **own.get(language, {})}
        self._filled = {name: value for name, value in values.items() if isinstance(value, str)}
        self._filled["factor"] = self._filled.get("factor_name") or self._factor(fold)
        self._filled["added"] = self._added(fold)
        self._filled["change"] = self._texts.get(f"changes.{self._filled.get('case_action', '')}", "")
        lifetime, expire_time = values.get("lifetime"), values.get("expire_time")
        if isinstance(lifetime, Lifetime):
            self._filled["lifetime"] = lifetime.said(language)
        if isinstance(expire_time, datetime):
            self._filled["expire_time"] = texts.said_time(expire_time, language)

    def text(self, name: str) -> str:
        """One text of the message; empty where it has none of that name."""
        return texts.fill(self._texts.get(f"{self._template}.{name}", ""), self._filled)

    def context(self) -> dict[str, object]:
        """What `mail.txt` and `mail.html` are given: paragraphs as lists, the rest as text."""
        notice = f"{self._template}.after" not in self._texts
        return {
            "language": self._language,
            "product": self._filled.get("product", ""),
            "greeting": self._greeting() if notice else "",
            "lead": [text for name in ("lead", "ask") if (text := self.text(name))],
            "code": self._filled.get("code", ""),
            "link": self._filled.get("link", ""),
            "action": self.text("action"),
            "after": [text for name in ("after",) if (text := self.text(name))],
            "details": self._details() if notice else [],
            "advice": [text for name in ("advice",) if (text := self.text(name))],
            "footer": self._common("footer"),
        }

    def _greeting(self) -> str:
        # No name in mails that a stranger can cause: whoever typed it need not be the one who reads it.
        return self._common("greeting" if self._filled.get("name") else "greeting_unnamed")

    def _details(self) -> list[tuple[str, str]]:
        time = self._values.get("time")
        found = [(self._common("when"), texts.said_time(time, self._language))] if isinstance(time, datetime) else []
        for label, name in (("address", "ip_address"), ("program", "user_agent")):
            if value := self._filled.get(name):
                found.append((self._common(label), value))
        return found

    def _factor(self, fold: bool) -> str:
        kind = self._filled.get("factor_kind", "")
        said = self._texts.get(f"factors.{kind}", kind)
        return gsm7.fold(said) if fold else said

    def _added(self, fold: bool) -> str:
        """What came to an account lately, said one after the other."""
        found = [name for name in self._filled.get("added", "").split(",") if name] or ["nothing"]
        said = ", ".join(self._texts.get(f"added.{name}") or self._texts.get(f"factors.{name}", name) for name in found)
        return gsm7.fold(said) if fold else said

    def _common(self, name: str) -> str:
        return texts.fill(self._texts[f"common.{name}"], self._filled)


def _compiled(directory: Path | None) -> tuple[jinja2.Environment, frozenset[str]]:
    shipped = Path(str(files("twofold_server.delivery") / "templates"))
    environment = ImmutableSandboxedEnvironment(
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
    environment.filters["utc"] = utc
    environment.filters["wrap"] = wrap
    names = environment.list_templates(extensions=list(_PARTS))
    for name in sorted(names):
        try:
            environment.get_template(name)
        except jinja2.TemplateSyntaxError as error:
            raise BrokenTemplateError(f"{name}, line {error.lineno}: {error.message}") from None
    return environment, frozenset(names)


@functools.cache
def _shipped() -> tuple[jinja2.Environment, frozenset[str]]:
    """The templates of the package alone, which no operator changes: compiled once in a process."""
    return _compiled(None)


def utc(time: datetime) -> str:
    """Write a time so that every language reads it: `2026-11-24 03:46 UTC`."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def wrap(text: str) -> str:
    """Break a paragraph into lines of 76 characters; no word is broken."""
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
