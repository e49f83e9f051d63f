"""The CBOR that authenticators write (CTAP 2.2, section 8: canonical, shallow, without tags), read strictly.

General decoders follow tags and shared references; from a few hundred bytes of those the encoder that a passkey's key
passes through later makes text without end. What this reader refuses never reaches them.
"""

from __future__ import annotations

from typing import Final

# CTAP allows four levels; an attestation object around its authenticator data needs as many.
_MAX_DEPTH: Final = 4
_MAX_ITEMS: Final = 256
_SHORT: Final = 24

Value = int | bytes | str | bool | None | list["Value"] | dict["int | str", "Value"]


class CborRefused(Exception):
    """The bytes are not CBOR of the plain kind."""


def read(data: bytes, start: int = 0) -> tuple[Value, int]:
    """Read the one value that begins at `start`, and tell where it ends. Raises CborRefused, and nothing else.

    Integers, byte strings, text, arrays, maps (by integer or text, each key once), true, false and null; every length
    definite and in its shortest form, at most four levels and 256 items.
    """
    reader = _Reader(data, start)
    value = reader.value(_MAX_DEPTH)
    return value, reader.position


class _Reader:
    __slots__ = ("_data", "_items", "position")

    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self._items = 0
        self.position = start

    def value(self, depth: int) -> Value:
        self._items += 1
        if self._items > _MAX_ITEMS:
            raise CborRefused("too many items")
        head = self._take(1)[0]
        major, info = head >> 5, head & 0x1F
        if major == 7:
            return self._simple(info)
        number = self._number(info)
        match major:
            case 0:
                return number
            case 1:
                return -1 - number
            case 2:
                return self._take(number)
            case 3:
                return self._text(number)
            case 4:
                self._demand_room(number, depth)
                return [self.value(depth - 1) for _ in range(number)]
            case 5:
                self._demand_room(number, depth)
                return self._map(number, depth)
        raise CborRefused("a tag")

    def _map(self, number: int, depth: int) -> dict[int | str, Value]:
        found: dict[int | str, Value] = {}
        for _ in range(number):
            key = self.value(depth - 1)
            # True and 1 are one key of a dictionary.
            if isinstance(key, bool) or not isinstance(key, int | str) or key in found:
                raise CborRefused("a key of a map that is neither number nor text, or there twice")
            found[key] = self.value(depth - 1)
        return found

    def _simple(self, info: int) -> bool | None:
        match info:
            case 20:
                return False
            case 21:
                return True
            case 22:
                return None
        raise CborRefused("neither true, false nor null")

    def _text(self, length: int) -> str:
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise CborRefused("text that is not UTF-8") from None

    def _number(self, info: int) -> int:
        if info < _SHORT:
            return info
        if info > 27:
            raise CborRefused("an indefinite length")
        size: int = 1 << (info - _SHORT)
        number = int.from_bytes(self._take(size), "big")
        if number < (_SHORT if size == 1 else 1 << (4 * size)):
            raise CborRefused("a number that is not in its shortest form")
        return number

    def _demand_room(self, number: int, depth: int) -> None:
        if depth <= 0 or number > _MAX_ITEMS:
            raise CborRefused("too deep or too many items")

    def _take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self._data):
            raise CborRefused("cut off")
        taken = self._data[self.position : end]
        self.position = end
        return taken
