"""Every RPC of the contract, one field at a time: hostile values get a documented answer and break nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import asyncpg
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from dev.postgres import Server
from tests.conftest import Clock
from tests.integration.hostile_target import (
    CODES,
    NAMES,
    REASONS,
    Attacked,
    Target,
    leaves,
    not_utf8,
    parent_of,
    with_value,
)
from tests.integration.hostile_values import BAD, COMMON, FINE, NOT_UTF8, Hostile, for_number, for_text
from tests.integration.quick import new_database, quick_server
from tests.integration.requests_that_succeed import BUILDERS


@pytest.fixture(scope="module")
async def attacked(
    cluster: Server, cluster_admin: asyncpg.Connection[asyncpg.Record], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Attacked]:
    """One server for all of them."""
    database = await new_database(cluster, cluster_admin, "hostile")
    clock = Clock(datetime(2026, 3, 14, 12, 0, tzinfo=UTC))
    async with quick_server(database, tmp_path_factory.mktemp("hostile"), clock) as service:
        db = await asyncpg.connect(database)
        late = await service.signed_in_user()
        clock.advance(600)
        yield Attacked(service, db, late.tokens.access_token)
        await db.close()


@pytest.fixture
async def target(attacked: Attacked, request: pytest.FixtureRequest) -> Target:
    """An RPC with a request that succeeds, and tokens of every kind that are not its own."""
    service, name = attacked.service, str(request.param)
    return Target(service, attacked.db, name, await BUILDERS[name](service), await attacked.bag())


def test_every_rpc_has_a_request_that_succeeds() -> None:
    """No RPC of the descriptors escapes these tests, and each has its reasons in the contract."""
    assert set(NAMES) == set(BUILDERS)
    assert set(NAMES) <= set(REASONS)
    assert {"INVALID_FIELDS", "TICKET_NOT_FOUND"} <= set(CODES)


@pytest.mark.parametrize("target", NAMES, indirect=True)
async def test_no_hostile_field_breaks_anything(target: Target) -> None:
    """Each field with each hostile value: INVALID_ARGUMENT naming it, success where legal, or a documented reason."""
    for path, found in leaves(target.prepared.request):
        for hostile in _values(target, path, found):
            raw = with_value(target.prepared.request, path, hostile.value).SerializeToString()
            await target.demand(f"{path}={hostile.label}", raw, path, hostile)
        if found.type == FieldDescriptor.TYPE_STRING:
            await target.demand(
                f"{path}=not UTF-8",
                not_utf8(target.prepared.request, path),
                path,
                Hostile("", NOT_UTF8.decode("latin-1"), BAD),
            )
        if found.message_type is not None:
            await _without(target, path, found)
        if not target.prepared.once:
            await target.succeed()
    await target.succeed()


@pytest.mark.parametrize("target", NAMES, indirect=True)
async def test_no_hostile_wire_breaks_anything(target: Target) -> None:
    """Unset oneofs are named; unknown fields are passed over; cut, wrongly typed and oversized messages are refused."""
    request = target.prepared.request
    for path, oneof in _oneofs(request):
        changed = type(request)()
        changed.CopyFrom(request)
        parent = parent_of(changed, f"{path}.x" if path else "x")[0]
        if parent.WhichOneof(oneof) is None:
            continue
        parent.ClearField(oneof)
        name = f"{path}.{oneof}" if path else oneof
        # What holds the oneof is named where that is all there is in it.
        await target.demand(f"{name} unset", changed.SerializeToString(), name, Hostile("", "", BAD))
    await target.demand(
        "unknown fields",
        target.prepared.request.SerializeToString() + b"\xc2\x3e\x03abc\x80\x3f\xff\x01",
        "",
        Hostile("", "", FINE),
    )
    raw = target.prepared.request.SerializeToString()
    anything = Hostile("", "", BAD | {""})
    for label, bad in (("cut", raw + b"\x0a\x7f"), ("group", raw + b"\x0b"), ("varint", raw + b"\x08" + b"\xff" * 11)):
        await target.demand(label, bad, "", anything)
    await target.demand(
        "too long", raw + b"\xc2\x3e\x80\x80\x04" + b"x" * 65536, "", Hostile("", "", frozenset({"MESSAGE_TOO_LONG"}))
    )
    await target.succeed()


@pytest.mark.parametrize("target", NAMES, indirect=True)
async def test_no_hostile_metadata_breaks_anything(target: Target) -> None:
    """Credentials and sessions that are none, cut, of another kind, expired or doubled are refused as such."""
    raw = target.prepared.request.SerializeToString()
    own = {key: str(value) for key, value in target.prepared.metadata}
    unknown = frozenset({"CALLER_UNKNOWN"})
    credential = own["authorization"]
    for label, value in {
        "empty": "", "no scheme": credential.removeprefix("Bearer "), "basic": "Basic c2hvcDpzaG9w",
        "cut": credential[:-1], "no secret": "Bearer tfc_", "sql": f"Bearer {COMMON['sql']}",
        "a user's": f"Bearer {target.bag['access_token']}", "long": "Bearer " + "x" * 6000,
        "invented": f"Bearer tfc_{'0' * 32}_{'A' * 43}",
    }.items():  # fmt: skip
        metadata = tuple((own | {"authorization": value}).items())
        await target.demand(f"authorization={label}", raw, "", Hostile("", value, unknown), metadata)
    doubled = (*target.prepared.metadata, ("authorization", credential))
    await target.demand("authorization twice", raw, "", Hostile("", credential, unknown), doubled)
    if "twofold-session" in own:
        await _hostile_sessions(target, raw, own)
    await target.succeed()


async def _hostile_sessions(target: Target, raw: bytes, own: dict[str, str]) -> None:
    token = own["twofold-session"]
    head, payload, signature = token.split(".")
    none, bad = frozenset({"SESSION_REQUIRED"}), frozenset({"SESSION_INVALID"})
    values = {
        "empty": ("", none), "cut": (token[:-2], bad), "unsigned": (f"{head}.{payload}.", bad),
        "two parts": (f"{head}.{payload}", bad), "signed otherwise": (f"{head}.{payload}.{signature[::-1]}", bad),
        "sql": (COMMON["sql"], bad), "template": (COMMON["template"], bad), "long": ("x" * 6000, bad),
        "dots": ("." * 500, bad), "bearer": (f"Bearer {token}", bad),
        "expired": (target.bag["expired_access_token"], frozenset({"SESSION_EXPIRED"})),
        **{n: (v, bad) for n, v in target.bag.items() if not n.endswith("access_token")},
    }  # fmt: skip
    for label, (value, allowed) in values.items():
        metadata = tuple((own | {"twofold-session": value}).items())
        await target.demand(f"twofold-session={label}", raw, "", Hostile("", value, allowed), metadata)
    doubled = (*target.prepared.metadata, ("twofold-session", token))
    await target.demand("twofold-session twice", raw, "", Hostile("", token, bad), doubled)
    without = tuple((k, v) for k, v in own.items() if k != "twofold-session")
    await target.demand("no twofold-session", raw, "", Hostile("", "", none), without)


def _values(target: Target, path: str, found: FieldDescriptor) -> Iterator[Hostile]:
    if found.type == FieldDescriptor.TYPE_STRING:
        parent, name = parent_of(target.prepared.request, path)
        own = "" if found.is_repeated else getattr(parent, name)
        yield from for_text(path, target.name, own, target.bag)
    elif found.type in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64):
        yield from for_number(path)
    elif found.type == FieldDescriptor.TYPE_ENUM:
        yield from (Hostile(str(value), value, BAD if path == "decision" else FINE) for value in (9999, -1))


async def _without(target: Target, path: str, found: FieldDescriptor) -> None:
    """A message that is not there, and one with nothing in it."""
    for label in ("missing", "empty"):
        changed = type(target.prepared.request)()
        changed.CopyFrom(target.prepared.request)
        parent, name = parent_of(changed, path)
        oneof = found.containing_oneof
        if oneof is not None and parent.WhichOneof(oneof.name) != name and label == "missing":
            continue
        parent.ClearField(name)
        if label == "empty":
            getattr(parent, name).SetInParent()
        # What is not there is named by its oneof, what is empty by itself.
        named = path
        if oneof is not None and label == "missing":
            named = f"{path.rpartition('.')[0]}.{oneof.name}".lstrip(".")
        await target.demand(
            f"{path} {label}", changed.SerializeToString(), named, Hostile(label, "", _when(target.name, path, label))
        )


def _when(method: str, path: str, label: str) -> frozenset[str]:
    """What may come of a message that is missing or empty."""
    match path:
        case "client" if method.endswith("RefreshSession"):
            return FINE
        case "client" | "reauthentication" | "update_mask" | "factor":
            return BAD
        case "second_factor" if method.endswith("SignIn") and label == "missing":
            return FINE
        case "second_factor" if method.endswith(("DeleteAccount", "DisableTwoFactor")) and label == "missing":
            return frozenset({"SECOND_FACTOR_REQUIRED"})
        case "second_factor" if not method.endswith("StepUp"):
            return BAD
        case "push" if method.endswith("StartChallenge"):
            return frozenset({"TWO_FACTOR_NOT_ENROLLED"})
        case "totp" | "backup_code" if label == "missing":
            return BAD
        case "reset_two_factor" if label == "missing":
            return BAD
        case "correct_email" | "correct_phone":
            return BAD
        case "passkey" | "passkey_begin":
            return BAD | {"TWO_FACTOR_NOT_ENROLLED", "FACTOR_KIND_UNAVAILABLE"}
        case "passkey_assertion":
            return BAD
        case "second_factor.push" if method.endswith("FinishChallenge"):
            return frozenset({"APPROVAL_NOT_FOUND"})
        case "second_factor.push":
            return BAD
        case "push" if method.endswith("FinishEnrollment"):
            return BAD
        case "email" | "sms" if method.endswith("BeginEnrollment"):
            return BAD
        case "email" | "sms":
            return frozenset({"TWO_FACTOR_NOT_ENROLLED"})
        case _:
            # Times that are output only, and arms of a oneof that hold nothing.
            return FINE


def _oneofs(message: Message, prefix: str = "") -> Iterator[tuple[str, str]]:
    for oneof in message.DESCRIPTOR.oneofs:
        yield prefix, oneof.name
    for found, value in message.ListFields():
        if found.message_type is not None and not found.is_repeated:
            yield from _oneofs(value, f"{prefix}.{found.name}".lstrip("."))
