"""docs/reference: a page for each file of the contract, and a page that lists every method."""

import re
from collections.abc import Iterator

from dev.reference.contract import Enum, File, Message, Method, Service
from dev.reference.markup import Links, Page, file_path
from dev.reference.words import repeats, roles, short_repeats, who

NOTE = "<!-- Written by `make generate` from protos/twofold/v1. Not edited by hand. -->"
# The reasons have a page of their own.
_ELSEWHERE = "error_reason"
_INTRO = """\
Every method, message and enum of the contract in [protos/twofold/v1](../../protos/twofold/v1), as its comments
explain them. [Concepts](../concepts.md) says how they belong together."""
_COLUMNS = """\
*Role* is what the calling service must be granted in the realm. *Repeat* says whether clients repeat the method by
themselves on UNAVAILABLE. What a stopping server did not begin (`SERVER_DRAINING`) they repeat whatever the method."""
_PARTS = re.compile(r"(?:^|(?<=[.)\n ]))\s*\b(Reasons|Retry): ")


def reference(files: list[File]) -> dict[str, str]:
    """The pages by path under docs/."""
    links = Links(files)
    pages = {file_path(file): _file(file, links) for file in files if file.stem != _ELSEWHERE}
    return pages | {"reference/README.md": _index(files, links)}


def _index(files: list[File], links: Links) -> str:
    page = Page("reference/README.md")
    shown = [file for file in files if file.stem != _ELSEWHERE]
    lines = [NOTE, "# Reference", "", _INTRO, "", "| page | |", "| --- | --- |"]
    lines += [f"| [{_title(file)}]({file.stem}.md) | {links.cell(file.comment, page)} |" for file in shown]
    lines += ["| [Error reasons](../errors.md) | Why a call failed, and what to do. |", "", _COLUMNS]
    for file in files:
        for service in file.services:
            lines += ["", f"## {service.name}", "", "| method | role | repeat | |", "| --- | --- | --- | --- |"]
            lines += [
                f"| {links.word(method.name, page)} | {roles(method)} | {short_repeats(method)} "
                f"| {links.cell(_first_sentence(method.comment), page.about(method.name))} |"
                for method in service.methods
            ]
    return _joined(lines)


def _file(file: File, links: Links) -> str:
    page = Page(file_path(file))
    messages = {message.name: message for message in file.messages}
    source = f"protos/twofold/v1/{file.stem}.proto"
    lines = [NOTE, f"# {_title(file)}", "", links.text(file.comment, page), ""]
    lines += [f"[{source}](../../{source}), part of the [reference](README.md)."]
    for service in file.services:
        lines += ["", *_service(service, messages, file, links, page)]
    if messages:
        lines += ["", "## Messages"]
        for message in messages.values():
            lines += ["", *_message(message, file, links, page, "###")]
    if file.enums:
        lines += ["", "## Enums"]
        for enum in file.enums:
            lines += ["", *_enum(enum, file, links, page)]
    return _joined(lines)


def _service(service: Service, messages: dict[str, Message], file: File, links: Links, page: Page) -> Iterator[str]:
    """The service with the messages of its methods, which are taken out of `messages`."""
    yield links.text(service.comment, page)
    yield ""
    yield "## Methods"
    for method in service.methods:
        yield ""
        yield from _method(method, service, links, page.about(method.name))
        for name in (method.takes, method.gives):
            if (message := messages.pop(name, None)) is not None:
                yield ""
                yield from _message(message, file, links, page, "####")


def _method(method: Method, service: Service, links: Links, page: Page) -> Iterator[str]:
    description, *parts = _PARTS.split(method.comment)
    named = dict(zip(parts[::2], parts[1::2], strict=True))
    yield f"### {method.name}"
    yield ""
    yield links.text(description.strip(), page)
    yield ""
    yield "| | |"
    yield "| --- | --- |"
    yield f"| path | `/twofold.v1.{service.name}/{method.name}` |"
    gives = f"{'a stream of ' if method.streams else ''}{links.type(method.gives, page)}"
    yield f"| takes, gives | {links.type(method.takes, page)}, {gives} |"
    yield f"| who may call | {who(method)} |"
    if "Reasons" in named:
        yield f"| reasons | {_sentence(links.cell(named['Reasons'].strip(), page))} |"
    yield f"| retry | {_sentence(links.cell(named.get('Retry', '').strip(), page))} {_sentence(repeats(method))} |"


def _message(message: Message, file: File, links: Links, page: Page, level: str) -> Iterator[str]:
    yield f"{level} {links.heading(file, message)}"
    yield ""
    yield links.text(message.comment, page)
    if not message.fields:
        yield ""
        yield "No fields."
        return
    oneofs = {field.oneof: message.oneofs[field.oneof] for field in message.fields if field.oneof is not None}
    for name, comment in oneofs.items():
        arms = ", ".join(f"`{field.name}`" for field in message.fields if field.oneof == name)
        yield ""
        yield f"`{name}` is one of {arms}. {links.text(comment, page)}".rstrip()
    yield ""
    yield "| field | type | no. | |"
    yield "| --- | --- | --- | --- |"
    for field in message.fields:
        of_type = f"{'list of ' if field.repeated else ''}{links.type(field.type, page)}"
        yield f"| `{field.name}` | {of_type} | {field.number} | {links.cell(field.comment, page)} |"


def _enum(enum: Enum, file: File, links: Links, page: Page) -> Iterator[str]:
    yield f"### {links.heading(file, enum)}"
    yield ""
    yield links.text(enum.comment, page)
    yield ""
    yield "| value | no. | |"
    yield "| --- | --- | --- |"
    for value in enum.values:
        yield f"| `{value.name}` | {value.number} | {links.cell(value.comment, page)} |"


def _title(file: File) -> str:
    if file.services:
        return ", ".join(service.name for service in file.services)
    return {"access": "Access", "sign_in": "Sign-in messages"}.get(file.stem, file.stem)


def _first_sentence(comment: str) -> str:
    return re.split(r"(?<=\.)\s", comment, maxsplit=1)[0]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if not text or text.endswith(".") else ".")


def _joined(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
