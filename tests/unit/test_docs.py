"""The pages that people read: no link leads nowhere, and those that are written from the contract say what it says."""

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from google.protobuf import json_format, message_factory
from grpc_health.v1 import health_pb2

from dev.environment import ROOT
from dev.reference.contract import ContractUnreadable, Enum, Field, File, Message, Method, Service, Value
from dev.reference.markup import Links, Page, anchor
from dev.reference.pages import reference
from dev.reference.reasons import errors
from twofold.v1 import access_pb2, account_pb2, session_pb2

_LEFT_OUT = {"node_modules", "target", "build", "dist"}


def _pages() -> list[Path]:
    pages = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in _LEFT_OUT and not name.startswith(".")]
        pages += [Path(folder) / file for file in files if file.endswith(".md")]
    return sorted(pages)


PAGES = _pages()
_CODE = re.compile(r"^(```|~~~).*?^\1[ \t]*$|`[^`\n]*`", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?P<address>[^()\s]+)\)")


def _anchors(page: Path) -> set[str]:
    """What the headings of a page can be called by; of equal ones the later are numbered."""
    seen: dict[str, int] = {}
    anchors = set()
    text = re.sub(r"^(```|~~~).*?^\1[ \t]*$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for heading in re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE):
        name = anchor(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading))
        count = seen.get(name, 0)
        seen[name] = count + 1
        anchors.add(f"{name}-{count}" if count else name)
    return anchors


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    """Each relative link names a file or folder that is there, and each anchor a heading of it."""
    dead = []
    for found in _LINK.finditer(_CODE.sub(lambda code: " " * len(code[0]), page.read_text(encoding="utf-8"))):
        address = found["address"]
        if re.match(r"[a-z]+:", address):
            continue
        path, _, name = address.partition("#")
        target = (page.parent / unquote(path)).resolve() if path else page
        if (
            not target.is_relative_to(ROOT)
            or not target.exists()
            or (name and (target.suffix != ".md" or name not in _anchors(target)))
        ):
            dead.append(address)
    assert not dead


def _file(stem: str, *, messages: tuple[Message, ...] = (), enums: tuple[Enum, ...] = ()) -> File:
    return File(stem, "", (), messages, enums)


def _reasons(*comments: str) -> list[File]:
    values = (Value(f"ERROR_REASON_R{at}_X", at, comment) for at, comment in enumerate(comments, 1))
    unset = Value("ERROR_REASON_UNSPECIFIED", 0, "Never sent.")
    return [_file("error_reason", enums=(Enum("ErrorReason", "", (unset, *values)),))]


def test_a_reason_is_shown_with_its_code_remedy_and_example() -> None:
    """The parts of a reason's comment stand under its heading, the example's JSON as code."""
    page = errors(_reasons('NOT_FOUND. It is gone. Remedy: look again. Example: {"a": {"b": 1}} with field violation'))
    assert (
        "## R1_X\n\n**NOT_FOUND.** It is gone.\n\n*Remedy:* look again.\n\n"
        '*Example:* `{"a": {"b": 1}}` with field violation\n'
    ) in page["errors.md"]
    assert "| [R1_X](#r1_x) | NOT_FOUND | Look again. |" in page["errors.md"]


def test_when_to_come_again_is_a_remedy() -> None:
    """A comment without `Remedy:` gives the sentence about RetryInfo as one."""
    page = errors(_reasons("UNAVAILABLE. Nobody is there. RetryInfo says when to come again."))
    assert "| [R1_X](#r1_x) | UNAVAILABLE | RetryInfo says when to come again. |" in page["errors.md"]


def test_a_reason_without_a_code_is_refused() -> None:
    """Whoever adds a reason is told to begin its comment with the status code."""
    with pytest.raises(ContractUnreadable, match="ERROR_REASON_R1_X"):
        errors(_reasons("It is gone."))


def test_a_method_is_shown_with_who_may_call_it_and_how_a_retry_behaves() -> None:
    """The access option and the idempotency level are put in words, beside what the comment says."""
    access = access_pb2.Access(
        caller=[access_pb2.CALLER_ROLE_VERIFIER], session=[access_pb2.SESSION_REQUIREMENT_ANY], any_client=True
    )
    comment = "Looks.\n\nReasons: none further. Retry: safe."
    method = Method("Look", comment, "LookRequest", "LookResponse", True, access, "NO_SIDE_EFFECTS")
    messages = (
        Message("LookRequest", "Asks.", (Field("place", 1, "string", False, "where", "A."),), {"where": "One."}),
    )
    page = reference([File("look", "", (Service("LookService", "", (method,)),), messages, ())])["reference/look.md"]
    assert "### Look\n\nLooks.\n\n" in page
    assert "| path | `/twofold.v1.LookService/Look` |" in page
    assert "| takes, gives | [`LookRequest`](#lookrequest), a stream of `LookResponse` |" in page
    assert "A caller with the role `verifier`. The end user: a live session, in metadata `twofold-session`." in page
    assert "The session may be another caller's" in page
    assert "| reasons | None further. |" in page
    assert "| retry | Safe. Changes nothing, so clients repeat it on UNAVAILABLE (`NO_SIDE_EFFECTS`). |" in page
    assert "`where` is one of `place`. One.\n\n| field |" in page
    assert "| `place` | `string` | 1 | A. |" in page


def test_comments_cannot_become_markup() -> None:
    """Stars, brackets and angles of a comment are shown as they are; what stands in backticks is left alone."""
    links = Links([])
    assert links.text("a * b <c> [d](e) `+420*****56`", Page("errors.md")) == "a \\* b \\<c\\> \\[d\\](e) `+420*****56`"
    assert links.cell("one|two\n\n`x|y`", Page("errors.md")) == "one\\|two<br><br>`x\\|y`"


def test_types_of_other_pages_are_linked_from_where_the_text_stands() -> None:
    """A link from one page of the reference to another names the file alone, one from above it the folder too."""
    links = Links([_file("sign_in", messages=(Message("Session", "", (), {}),))])
    assert links.type("Session", Page("reference/session.md")) == "[`Session`](sign_in.md#session)"
    assert links.type("Session", Page("reference/sign_in.md")) == "[`Session`](#session)"
    assert links.type("Session", Page("errors.md")) == "[`Session`](reference/sign_in.md#session)"
    assert links.type("google.protobuf.Timestamp", Page("errors.md")) == "`Timestamp`"


@pytest.mark.parametrize("config", sorted((ROOT / "tests" / "load" / "ghz").glob("*.json")), ids=lambda path: path.stem)
def test_load_configurations_call_what_is_there(config: Path) -> None:
    """Each names a file, a method and fields that exist, and takes every secret from the environment."""
    found = json.loads(config.read_text(encoding="utf-8"))
    assert (ROOT / found["proto"]).is_file()
    assert all((ROOT / folder).is_dir() for folder in found.get("import-paths", ()))
    service, _, method = found["call"].partition("/")
    services: dict[str, Any] = {
        name: file.services_by_name[name.rpartition(".")[2]]
        for file in (account_pb2.DESCRIPTOR, session_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR)
        for name in (service.full_name for service in file.services_by_name.values())
    }
    request = services[service].methods_by_name[method].input_type
    json_format.ParseDict(found["data"], message_factory.GetMessageClass(request)())
    assert all("{{ env " in value for value in found.get("metadata", {}).values())
