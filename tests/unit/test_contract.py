"""The contract holds to its own rules, as its descriptors and sources show them."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor

from twofold.v1 import (
    access_pb2,
    account_pb2,
    error_reason_pb2,
    recovery_pb2,
    session_pb2,
    sign_in_pb2,
    support_pb2,
    two_factor_pb2,
)
from twofold_server.domain import errors
from twofold_server.domain.errors import TwofoldError
from twofold_server.rpc.policy import policy_of

SOURCES = Path(__file__).parents[2] / "protos" / "twofold" / "v1"
FILES: tuple[FileDescriptor, ...] = tuple(
    module.DESCRIPTOR
    for module in (
        access_pb2,
        account_pb2,
        error_reason_pb2,
        recovery_pb2,
        session_pb2,
        sign_in_pb2,
        support_pb2,
        two_factor_pb2,
    )
)
METHODS: list[MethodDescriptor] = [
    method for file in FILES for service in file.services_by_name.values() for method in service.methods
]
MESSAGES: list[Descriptor] = [message for file in FILES for message in file.message_types_by_name.values()]
METHOD_IDS = [method.full_name for method in METHODS]
# Words that name a secret; a `_token` is one unless it is a page's.
SECRET = re.compile(r"(password|(?<!language_)code|secret|token|binding|credential)")


REASONS = tuple(error_reason_pb2.ErrorReason.keys())


def access_of(method: MethodDescriptor) -> access_pb2.Access:
    options: Any = method.GetOptions()
    access: access_pb2.Access = options.Extensions[access_pb2.access]
    return access


def within(message: Descriptor, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, FieldDescriptor]]:
    """Every field of a message and of those in it, by path."""
    for field in message.fields:
        yield f"{prefix}{field.name}", field
        if field.message_type is not None and depth < 4:
            yield from within(field.message_type, f"{prefix}{field.name}.", depth + 1)


def test_every_file_of_the_contract_is_looked_at() -> None:
    """No file under protos/ escapes these tests."""
    assert {Path(file.name).name for file in FILES} == {path.name for path in SOURCES.glob("*.proto")}


@pytest.mark.parametrize("method", METHODS, ids=METHOD_IDS)
def test_every_method_says_who_may_call_it(method: MethodDescriptor) -> None:
    """Each method has an access option that the boundary can enforce, without unspecified or doubled entries."""
    policy_of(method)
    access = access_of(method)
    assert len(set(access.caller)) == len(access.caller) > 0
    assert len(set(access.session)) == len(access.session) > 0
    assert access_pb2.CALLER_ROLE_UNSPECIFIED not in access.caller
    assert access_pb2.SESSION_REQUIREMENT_UNSPECIFIED not in access.session


@pytest.mark.parametrize("method", METHODS, ids=METHOD_IDS)
def test_every_method_has_its_own_request_and_response(method: MethodDescriptor) -> None:
    """Method `X` takes XRequest and gives XResponse."""
    assert method.input_type.name == f"{method.name}Request"
    assert method.output_type.name == f"{method.name}Response"


@pytest.mark.parametrize("method", METHODS, ids=METHOD_IDS)
def test_a_method_that_carries_a_secret_of_the_user_says_so(method: MethodDescriptor) -> None:
    """Where a password or a code is in the request, `takes_credential` is set and there is a ClientContext."""
    names = {field.name for _, field in within(method.input_type) if field.type == FieldDescriptor.TYPE_STRING}
    if names & {"password", "new_password", "totp_code", "backup_code"}:
        assert access_of(method).takes_credential
    if access_of(method).takes_credential:
        assert "client" in method.input_type.fields_by_name


@pytest.mark.parametrize("method", METHODS, ids=METHOD_IDS)
def test_no_request_of_a_front_end_names_an_account(method: MethodDescriptor) -> None:
    """The account is the session's; an `account_id` in a request is for support, admin and verifier alone."""
    named = {path for path, field in within(method.input_type) if field.name in {"account_id", "user_id", "sub"}}
    # An Account that is updated carries its id as output only; the update mask can't name it.
    named.discard("account.account_id")
    if set(access_of(method).caller) & {access_pb2.CALLER_ROLE_FRONTEND, access_pb2.CALLER_ROLE_ANY}:
        assert not named


@pytest.mark.parametrize("method", METHODS, ids=METHOD_IDS)
def test_the_users_token_is_never_a_field(method: MethodDescriptor) -> None:
    """Access tokens come as metadata `twofold-session`, credentials of callers as `authorization`."""
    assert not {"access_token", "session_token", "credential", "authorization"} & {
        field.name for _, field in within(method.input_type)
    }


@pytest.mark.parametrize("method", METHODS, ids=METHOD_IDS)
def test_a_realm_is_named_only_where_nothing_else_does(method: MethodDescriptor) -> None:
    """`realm_id` stands where neither session nor ticket says the realm; those of other callers are checked in one."""
    proofs = set(access_of(method).session)
    expected = (
        proofs == {access_pb2.SESSION_REQUIREMENT_NONE}
        or access_of(method).any_client
        # An agent's session is of the realm of agents.
        or access_pb2.SESSION_REQUIREMENT_AGENT in proofs
    )
    assert ("realm_id" in method.input_type.fields_by_name) is expected


def test_a_session_as_it_is_shown_carries_no_secret() -> None:
    """No field of `Session`, `Account` and their like names a token, code or password; SignedIn has them beside it."""
    for name in ("Session", "Account", "Factor", "SignIn"):
        message = next(message for message in MESSAGES if message.name == name)
        assert not [field.name for _, field in within(message) if SECRET.search(field.name)]


def test_what_is_not_a_finished_sign_in_carries_no_access_token() -> None:
    """A challenge holds nothing that passes for a session."""
    for message in MESSAGES:
        if message.name == "SecondFactorChallenge" or message.name.endswith("Enrollment"):
            assert not {"access_token", "refresh_token", "tokens", "session"} & set(message.fields_by_name)


def test_lists_are_paged_alike() -> None:
    """Each List method has page_size, page_token and next_page_token."""
    for method in METHODS:
        if method.name.startswith("List"):
            assert {"page_size", "page_token"} <= set(method.input_type.fields_by_name)
            assert "next_page_token" in method.output_type.fields_by_name


def test_what_reads_only_is_marked_so() -> None:
    """Get, List and Check methods are NO_SIDE_EFFECTS; what takes a credential is never marked as repeatable."""
    for method in METHODS:
        level = method.GetOptions().idempotency_level
        if method.name.startswith(("Get", "List", "Check")):
            assert level == 1, method.full_name
        if access_of(method).takes_credential:
            assert level == 0, method.full_name


def test_reasons_in_code_and_contract_are_the_same() -> None:
    """Every reason of domain/errors.py is in error_reason.proto, and the other way round."""
    raised = {
        found.reason for _, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, TwofoldError)
    }
    promised = {name.removeprefix("ERROR_REASON_") for name in REASONS if not name.endswith("UNSPECIFIED")}
    assert raised == promised


def test_the_status_of_each_reason_is_the_one_that_its_comment_names() -> None:
    """The comment of a reason begins with the code that it comes with."""
    text = (SOURCES / "error_reason.proto").read_text()
    found_comments = re.findall(r"((?:  // [^\n]*\n)+)  ERROR_REASON_(\w+) = [1-9]", text)
    told = {name: comment.removeprefix("  // ").partition(".")[0] for comment, name in found_comments}
    for _, found in inspect.getmembers(errors, inspect.isclass):
        if issubclass(found, TwofoldError):
            assert told[found.reason] == found.status


def test_every_reason_has_a_remedy_and_an_example() -> None:
    """Each comment tells what to do, and shows one."""
    text = (SOURCES / "error_reason.proto").read_text()
    comments = re.findall(r"((?:  // [^\n]*\n)+)  ERROR_REASON_\w+ = [1-9]", text)
    assert len(comments) == len(REASONS) - 1
    for comment in comments:
        assert "Example: {" in comment
        assert "Remedy: " in comment or "RetryInfo says" in comment or "report" in comment, comment


@pytest.mark.parametrize("path", sorted(SOURCES.glob("*.proto")), ids=lambda path: path.name)
def test_everything_has_a_comment(path: Path) -> None:
    """Every service, RPC, message, field, oneof, enum and enum value has a comment above it."""
    lines = path.read_text().splitlines()
    declaration = re.compile(
        r"\s*(service|rpc|message|enum|oneof)\s+\w+|\s+(repeated |optional )?[\w.]+ \w+ = \d+;"
        r"|\s+[A-Z][A-Z0-9_]+ = \d+;"
    )
    bare = [
        f"{number + 1}: {line.strip()}"
        for number, line in enumerate(lines)
        if declaration.match(line) and not lines[number - 1].strip().startswith("//")
    ]
    assert not bare


@pytest.mark.parametrize("method", METHODS, ids=METHOD_IDS)
def test_every_rpc_lists_its_reasons_and_how_a_retry_behaves(method: MethodDescriptor) -> None:
    """The comment of an RPC has `Reasons:` with known names, and `Retry:`."""
    text = (SOURCES / Path(method.containing_service.file.name).name).read_text()
    found = re.search(rf"((?:  //[^\n]*\n)+)  rpc {method.name}\(", text)
    assert found
    comment = found[1]
    assert "Retry:" in comment
    reasons = re.search(r"Reasons:(.*?)Retry:", comment.replace("  //", " ").replace("\n", " "))
    assert reasons
    known = {name.removeprefix("ERROR_REASON_") for name in REASONS}
    for word in re.findall(r"\b[A-Z]{3,}(?:_[A-Z]+)+\b", reasons[1]):
        assert word in known, word
