"""docs/errors.md: each reason of error_reason.proto with its code, remedy and example, and the methods that name it."""

import re
from dataclasses import dataclass

from dev.reference.contract import ContractUnreadable, File, Value
from dev.reference.markup import REASON_PREFIX, Links, Page
from dev.reference.pages import NOTE

_COMMENT = re.compile(
    r"(?P<code>[A-Z_]+)\. (?P<what>.+?)(?: Remedy: (?P<remedy>.+?))?(?: Example: (?P<example>.+))?", re.DOTALL
)
# Where no remedy is named, when to come again is.
_AGAIN = re.compile(r"\s*(RetryInfo says when to come again[^.]*\.)")
_INTRO = """\
Every error of Twofold is a `google.rpc.Status` with an `ErrorInfo` in its details: `domain` is `twofold`, `reason` one
of the names below. Decide by the reason: reasons do not change, texts may. The same answer may carry `BadRequest`
(each field that is wrong), `PreconditionFailure` (the state that forbids it), `RetryInfo` (when to come again) and
`RequestInfo` (the id under which the server's log has it). The clients turn all of it into an error of their language;
where a library has no helper, it is in the trailer `grpc-status-details-bin`."""


@dataclass(frozen=True)
class _Reason:
    name: str
    code: str
    what: str
    remedy: str
    example: str


def errors(files: list[File]) -> dict[str, str]:
    """The page by its path under docs/.

    Raises ContractUnreadable for a comment of another shape.
    """
    page = Page("errors.md")
    links = Links(files)
    values = [value for file in files for enum in file.enums if enum.name == "ErrorReason" for value in enum.values]
    reasons = [_reason(value) for value in values if value.number]
    lines = [NOTE, "# Error reasons", "", _INTRO, "", "| reason | code | remedy |", "| --- | --- | --- |"]
    for reason in reasons:
        remedy = links.cell(_capital(reason.remedy), page.about(reason.name))
        lines.append(f"| {links.word(reason.name, page)} | {reason.code} | {remedy} |")
    for reason in reasons:
        here = page.about(reason.name)
        lines += ["", f"## {reason.name}", "", f"**{reason.code}.** {links.text(reason.what, here)}"]
        if reason.remedy:
            lines += ["", f"*Remedy:* {links.text(reason.remedy, here)}"]
        if reason.example:
            lines += ["", f"*Example:* {_code(reason.example)}"]
        if named := _named_by(reason.name, files, links, here):
            lines += ["", f"*Named by:* {named}."]
    return {page.path: "\n".join(lines) + "\n"}


def _reason(value: Value) -> _Reason:
    found = _COMMENT.fullmatch(" ".join(value.comment.split()))
    if found is None:
        raise ContractUnreadable(f"{value.name}: its comment does not begin with a status code")
    what, remedy = found["what"], found["remedy"] or ""
    if not remedy and (again := _AGAIN.search(what)):
        what, remedy = what.replace(again[0], "").strip(), again[1]
    return _Reason(value.name.removeprefix(REASON_PREFIX), found["code"], what, remedy, found["example"] or "")


def _named_by(name: str, files: list[File], links: Links, page: Page) -> str:
    """The services whose every method names it, then the methods that do."""
    word = re.compile(rf"(?<![A-Z_`]){name}(?![A-Z_`])")
    services = [service for file in files for service in file.services]
    of_all = [
        f"every method of {service.name} that can fail so" for service in services if word.search(service.comment)
    ]
    methods = [method.name for service in services for method in service.methods if word.search(method.comment)]
    every = "every service" if len(of_all) == len(services) else ", ".join(of_all)
    return ", ".join(filter(None, (every, *(links.word(method, page) for method in methods))))


def _code(example: str) -> str:
    """The JSON of an example as code, what joins it as text."""
    return re.sub(r"\{(?:[^{}]|\{[^{}]*\})*\}", lambda found: f"`{found[0]}`", example)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
