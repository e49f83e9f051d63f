"""Where a message that can't be parsed is bad: found by walking its wire format along its descriptor."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

_DEEPEST = 32
# A message of the contract has some twenty; a long run of junk is not worth the event loop's time.
_MOST_FIELDS = 500


class _Corrupt(Exception):
    """The bytes are no message at all."""


def bad_text_field(descriptor: Descriptor, raw: bytes) -> str:
    """The path of the first string that is not UTF-8, as in `client.user_agent`; empty if the bytes are no message."""
    try:
        return _walk(descriptor, raw, 0, iter(range(_MOST_FIELDS))) or ""
    except (_Corrupt, IndexError):
        return ""


def _walk(descriptor: Descriptor, raw: bytes, depth: int, left: Iterator[int]) -> str | None:
    if depth > _DEEPEST:
        raise _Corrupt
    at = 0
    while at < len(raw):
        if next(left, None) is None:
            raise _Corrupt
        key, at = _varint(raw, at)
        field = descriptor.fields_by_number.get(key >> 3)
        match key & 7:
            case 0:
                _, at = _varint(raw, at)
            case 1:
                at += 8
            case 2:
                length, at = _varint(raw, at)
                end = at + length
                if end > len(raw):
                    raise _Corrupt
                if field is not None and (found := _bad(field, raw[at:end], depth, left)) is not None:
                    return found
                at = end
            case 5:
                at += 4
            case _:
                raise _Corrupt
        if at > len(raw):
            raise _Corrupt
    return None


def _bad(field: FieldDescriptor, value: bytes, depth: int, left: Iterator[int]) -> str | None:
    if field.type == FieldDescriptor.TYPE_STRING:
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            return str(field.name)
    elif field.type == FieldDescriptor.TYPE_MESSAGE and field.message_type is not None:
        inner = _walk(field.message_type, value, depth + 1, left)
        return f"{field.name}.{inner}" if inner else None
    return None


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _Corrupt
