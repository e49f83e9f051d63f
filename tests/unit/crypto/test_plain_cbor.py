"""CBOR as authenticators write it: what is plain is read as cbor2 reads it, all else is refused, and quickly."""

from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold_server.crypto.plain_cbor import CborRefused, read

SCALARS = st.one_of(
    st.integers(-(2**64), 2**64 - 1), st.binary(max_size=40), st.text(max_size=40), st.booleans(), st.none()
)
KEYS = st.one_of(st.integers(-(2**64), 2**64 - 1), st.text(max_size=10))
PLAIN = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8
)


def depth(value: Any) -> int:
    match value:
        case dict():
            return 1 + max(map(depth, value.values()), default=0)
        case list():
            return 1 + max(map(depth, value), default=0)
    return 0


@given(PLAIN, st.binary(max_size=5))
def test_plain_values_are_read_and_end_where_they_end(value: Any, after: bytes) -> None:
    """What cbor2 writes of plain values, up to four levels deep, is read back; what follows is left alone."""
    encoded = cbor2.dumps(value)
    if depth(value) > 4:
        with pytest.raises(CborRefused):
            read(encoded + after)
    else:
        assert read(b"\xff" + encoded + after, 1) == (value, 1 + len(encoded))


@settings(max_examples=1000, deadline=1000)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No bytes bring any other exception, and what is read is what cbor2 reads of the same bytes."""
    try:
        value, end = read(data)
    except CborRefused:
        return
    assert cbor2.loads(data[:end]) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x18\x01",  # 1, not in its shortest form
        b"\x19\x00\xff",
        b"\x5f\x41a\xff",  # bytes of indefinite length
        b"\x9f\xff",
        b"\xbf\xff",
        b"\xc0\x60",  # tags: a date, a shared value, a reference, a bignum, a regular expression
        b"\xd8\x1c\x80",
        b"\xd8\x1d\x00",
        b"\xc2\x41\x01",
        b"\xd8\x23\x61(",
        b"\xf9\x3c\x00",  # a float
        b"\xf7",  # undefined
        b"\xa2\x01\x00\x01\x00",  # a key twice
        b"\xa1\xf5\x00",  # true as a key
        b"\xa1\x80\x00",  # a list as a key
        b"\x61\xff",  # not UTF-8
        b"\x5b" + b"\xff" * 8,  # lengths beyond any memory
        b"\x9b" + b"\xff" * 8,
        b"\xbb" + b"\xff" * 8,
        b"\x81" * 100_000,
        b"\x99\xff\xff" + b"\x00" * 65535,
    ],
)
def test_what_authenticators_do_not_write_is_refused(data: bytes) -> None:
    """Tags, references, floats, indefinite and absurd lengths, deep nesting, repeated keys: none gets any further."""
    with pytest.raises(CborRefused):
        read(data)
