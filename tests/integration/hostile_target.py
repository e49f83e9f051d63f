"""An RPC under attack: its request that succeeds, what is changed in it, and what is demanded of the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import grpc
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from tests.integration.boundary_setup import METHODS
from tests.integration.hostile_values import (
    NOT_FOR_CALLERS,
    NOT_UTF8,
    Hostile,
    codes_of_reasons,
    documented_reasons,
    tokens_of_every_kind,
)
from tests.integration.quick import Prepared, Quick, send
from tests.integration.requests_that_succeed import BUILDERS
from tests.integration.rows_written import mark, written
from tests.service import Metadata, fields, reason
from twofold_server.rpc.policy import path_of

NAMES = [f"{method.containing_service.name}.{method.name}" for method in METHODS]
REASONS = documented_reasons()
CODES = codes_of_reasons()
PLACEHOLDER = "@?@?@?@?"
# The outbox's own worker writes there at any time, and a phone's proof is used up by whatever call it came with.
BUSY = frozenset({"outbox", "approver_proofs"})


@dataclass
class Attacked:
    """A server, a connection to its database, and tokens of every kind, renewed before they expire."""

    service: Quick
    db: asyncpg.Connection[asyncpg.Record]
    expired_token: str
    _bag: dict[str, str] = field(default_factory=dict)
    _made: datetime | None = None

    async def bag(self) -> dict[str, str]:
        if self._made is None or self.service.clock() - self._made > timedelta(minutes=4):
            self._bag = await tokens_of_every_kind(self.service) | {"expired_access_token": self.expired_token}
            self._made = self.service.clock()
        return self._bag


@dataclass
class Target:
    """An RPC under attack."""

    service: Quick
    db: asyncpg.Connection[asyncpg.Record]
    name: str
    prepared: Prepared
    bag: dict[str, str] = field(default_factory=dict)

    @property
    def method(self) -> MethodDescriptor:
        return METHODS[NAMES.index(self.name)]

    async def prepare(self) -> None:
        self.prepared = await BUILDERS[self.name](self.service)

    async def send(self, raw: bytes, metadata: Metadata | None = None) -> None:
        given = self.prepared.metadata if metadata is None else metadata
        await send(self.service, path_of(self.method), raw, given, stream=self.method.server_streaming)

    async def demand(
        self, label: str, raw: bytes, path: str, hostile: Hostile, metadata: Metadata | None = None
    ) -> None:
        """Send what is hostile; the answer must be one of those allowed, documented, and silent about the value."""
        since = await mark(self.db)
        try:
            await self.send(raw, metadata)
        except grpc.aio.AioRpcError as refused:
            error = refused
        else:
            assert "OK" in hostile.allowed, f"{self.name} {label}: was taken"
            if self.prepared.once:
                await self.prepare()
            if path == "password":
                # It may have been a wrong one that is not told.
                await self._forgive()
            return
        found = reason(error)
        where = f"{self.name} {label}: {error.code().name} {found or error.details()} {fields(error)}"
        assert found in hostile.allowed, where
        assert found in REASONS[self.name] - NOT_FOR_CALLERS, f"{where} is not documented for this RPC"
        assert error.code().name == CODES[found], where
        assert not echoed(hostile.value, error), f"{where} repeats what was sent"
        if found == "INVALID_FIELDS":
            assert any(near(path, named) for named in fields(error)), where
            assert not await written(self.db, since, without=BUSY), f"{where} wrote"
        elif found in {"INVALID_CREDENTIALS", "INVALID_SECOND_FACTOR"}:
            await self._forgive()

    async def succeed(self) -> None:
        """The request as it was."""
        await self.send(self.prepared.request.SerializeToString())

    async def _forgive(self) -> None:
        """Forget the counts, which are not the subject here; nothing else."""
        await self.db.execute("UPDATE password_credentials SET failures = '{0,0}', wait_until = '{epoch,epoch}'")
        await self.db.execute("UPDATE factor_budgets SET failures = '{0,0}', wait_until = '{epoch,epoch}'")
        await self.db.execute("UPDATE tickets SET attempts = 0 WHERE attempts > 0")
        await self.db.execute("DELETE FROM network_failures")
        await self.db.execute("DELETE FROM unknown_identifiers")


def near(path: str, named: str) -> bool:
    """Whether an error that names `named` speaks of the field `path`: it, one inside, or the message that it is in."""
    if path.startswith("passkey_assertion.") and named.startswith("passkey_assertion."):
        # Where one part of it is there alone, those that are missing are named.
        return True
    if path.startswith("owed_enrollment_") and named.startswith("owed_enrollment_"):
        # Likewise: a token without its binding.
        return True
    return named == path or named.startswith(f"{path}.") or path.startswith(f"{named}.")


def echoed(value: str | int, error: grpc.aio.AioRpcError) -> bool:
    """Whether an error's text or trailers repeat a value; of long ones, a part."""
    text = str(value)[:200]
    if len(text) < 8:
        return False
    trailers = b"".join(v if isinstance(v, bytes) else v.encode() for _, v in error.trailing_metadata() or ())
    return text in (error.details() or "") or text.encode() in trailers


def leaves(message: Message, prefix: str = "") -> Iterator[tuple[str, FieldDescriptor]]:
    """Every field of a message and of those in it, by path, set or not; messages before what is in them."""
    descriptor: Any = message.DESCRIPTOR
    for found in descriptor.fields:
        path = f"{prefix}{found.name}"
        yield path, found
        if found.message_type is not None:
            yield from leaves(getattr(message, found.name), f"{path}.")


def parent_of(message: Any, path: str) -> tuple[Any, str]:
    """The message that a path's last field is in, and that field's name."""
    *names, last = path.split(".")
    for name in names:
        message = getattr(message, name)
    return message, last


def with_value(request: Message, path: str, value: str | int) -> Message:
    """The request with one field changed."""
    changed = type(request)()
    changed.CopyFrom(request)
    parent, name = parent_of(changed, path)
    if parent.DESCRIPTOR.fields_by_name[name].is_repeated:
        del getattr(parent, name)[:]
        getattr(parent, name).append(value)
    else:
        setattr(parent, name, value)
    return changed


def not_utf8(request: Message, path: str) -> bytes:
    """The request's bytes with a text field that is none."""
    raw = with_value(request, path, PLACEHOLDER).SerializeToString()
    assert raw.count(PLACEHOLDER.encode()) == 1
    return raw.replace(PLACEHOLDER.encode(), NOT_UTF8)
