"""The contract as its descriptors tell it: services, methods, messages and enums, each with its comment."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    MethodOptions,
    ServiceDescriptorProto,
)

from dev.environment import ROOT
from twofold.v1 import access_pb2

_PACKAGE = "twofold.v1"
# Numbers of fields in descriptor.proto: the paths of its SourceCodeInfo are made of them.
_SYNTAX, _MESSAGE, _ENUM, _SERVICE = 12, 4, 5, 6
_FIELD, _ONEOF, _VALUE, _METHOD = 2, 8, 2, 2


class ContractUnreadable(Exception):
    """The contract could not be compiled, or holds what the pages have no place for; the text says what."""


@dataclass(frozen=True)
class Field:
    """One field of a message. `type` is a scalar's name, or the full name of a message or enum."""

    name: str
    number: int
    type: str
    repeated: bool
    oneof: str | None
    comment: str


@dataclass(frozen=True)
class Message:
    """One message, with the comments of its oneofs by name."""

    name: str
    comment: str
    fields: tuple[Field, ...]
    oneofs: dict[str, str]


@dataclass(frozen=True)
class Value:
    """One value of an enum."""

    name: str
    number: int
    comment: str


@dataclass(frozen=True)
class Enum:
    """One enum."""

    name: str
    comment: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Method:
    """One RPC. `idempotency` is a value of MethodOptions.IdempotencyLevel by name."""

    name: str
    comment: str
    takes: str
    gives: str
    streams: bool
    access: access_pb2.Access
    idempotency: str


@dataclass(frozen=True)
class Service:
    """One service."""

    name: str
    comment: str
    methods: tuple[Method, ...]


@dataclass(frozen=True)
class File:
    """One file of the contract; `stem` is its name without folder and ending."""

    stem: str
    comment: str
    services: tuple[Service, ...]
    messages: tuple[Message, ...]
    enums: tuple[Enum, ...]


def read() -> list[File]:
    """The files under protos/, sorted by name.

    Raises ContractUnreadable.
    """
    buf = Path(sys.executable).parent / "buf"
    done = subprocess.run([buf, "build", "--output", "-"], check=False, capture_output=True, cwd=ROOT)
    if done.returncode:
        raise ContractUnreadable(f"buf build failed:\n{done.stderr.decode(errors='replace')}".rstrip())
    files = [file for file in FileDescriptorSet.FromString(done.stdout).file if file.package == _PACKAGE]
    return sorted((_file(file) for file in files), key=lambda file: file.stem)


def _file(file: FileDescriptorProto) -> File:
    comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
    notes = {path: _plain(comment) for path, comment in comments.items() if comment}
    return File(
        stem=Path(file.name).stem,
        comment=notes.get((_SYNTAX,), ""),
        services=tuple(_service(service, notes, (_SERVICE, at)) for at, service in enumerate(file.service)),
        messages=tuple(_message(message, notes, (_MESSAGE, at)) for at, message in enumerate(file.message_type)),
        enums=tuple(_enum(enum, notes, (_ENUM, at)) for at, enum in enumerate(file.enum_type)),
    )


_Notes = dict[tuple[int, ...], str]
_Path = tuple[int, ...]


def _service(service: ServiceDescriptorProto, notes: _Notes, path: _Path) -> Service:
    methods = (_method(method, notes, (*path, _METHOD, at)) for at, method in enumerate(service.method))
    return Service(service.name, notes.get(path, ""), tuple(methods))


def _method(method: MethodDescriptorProto, notes: _Notes, path: _Path) -> Method:
    if method.client_streaming:
        raise ContractUnreadable(f"{method.name} takes a stream, which the pages have no words for")
    options: Any = method.options
    return Method(
        name=method.name,
        comment=notes.get(path, ""),
        takes=_local(method.input_type),
        gives=_local(method.output_type),
        streams=method.server_streaming,
        access=options.Extensions[access_pb2.access],
        idempotency=MethodOptions.IdempotencyLevel.Name(method.options.idempotency_level),
    )


def _message(message: DescriptorProto, notes: _Notes, path: _Path) -> Message:
    if message.nested_type or message.enum_type:
        raise ContractUnreadable(f"{message.name} holds types of its own, which the pages have no place for")
    oneofs = {oneof.name: notes.get((*path, _ONEOF, at), "") for at, oneof in enumerate(message.oneof_decl)}
    names = list(oneofs)
    fields = (
        Field(
            name=field.name,
            number=field.number,
            type=_type(field),
            repeated=field.label == FieldDescriptorProto.LABEL_REPEATED,
            oneof=names[field.oneof_index] if field.HasField("oneof_index") else None,
            comment=notes.get((*path, _FIELD, at), ""),
        )
        for at, field in enumerate(message.field)
    )
    return Message(message.name, notes.get(path, ""), tuple(fields), oneofs)


def _enum(enum: EnumDescriptorProto, notes: _Notes, path: _Path) -> Enum:
    values = (
        Value(value.name, value.number, notes.get((*path, _VALUE, at), "")) for at, value in enumerate(enum.value)
    )
    return Enum(enum.name, notes.get(path, ""), tuple(values))


def _type(field: FieldDescriptorProto) -> str:
    if field.type_name:
        return _local(field.type_name)
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _local(name: str) -> str:
    """The name as the pages show it: without the contract's own package."""
    return name.removeprefix(".").removeprefix(f"{_PACKAGE}.")


def _plain(comment: str) -> str:
    """Paragraphs parted by empty lines, each on one line."""
    paragraphs = "\n".join(line.strip() for line in comment.strip().splitlines()).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
