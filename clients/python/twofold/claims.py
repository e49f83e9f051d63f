"""The claims of an access token (RFC 9068 and OpenID Connect Core): read, and judged but for revocation."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from sys import intern
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from twofold.verified import BadToken, ExpiredToken, VerifiedSession

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LEEWAY_SECONDS: Final = 30.0
_MAX_METHODS: Final = 16
_MAX_EPOCH: Final = 2**31 - 1
# 9999-12-31T23:59:59Z: beyond it datetime has no answer.
_MAX_SECONDS: Final = 253_402_300_799
_MAX_METHOD_LISTS: Final = 256
# Of values within values.
_MAX_LEVELS: Final = 32
# Adding to it takes half the time of datetime.fromtimestamp.
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# One spelling only: capitals, braces or `urn:uuid:` would give one account many names.
_UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_are_uuids = re.compile(f"{_UUID} {_UUID} {_UUID}").fullmatch
_STR: Final = frozenset({str})
# Claims as the service spells them, which one search reads in half the time of a JSON parser. It takes nothing that
# JSON would read otherwise: no escapes, nothing beyond ASCII, no claim twice. Everything else goes to the parser.
_TEXT: Final = r'"([ !#-\[\]-~]{1,256})"'
_SECONDS: Final = r"(0|[1-9][0-9]{0,10})"
_as_written = re.compile(
    rf'\{{"iss":{_TEXT},"sub":"({_UUID})","aud":{_TEXT},"client_id":{_TEXT},"jti":"{_UUID}","sid":"({_UUID})",'
    rf'"epoch":(0|[1-9][0-9]{{0,8}}),"amr":\[((?:"[a-z]{{1,16}}",){{0,7}}"[a-z]{{1,16}}")\],"aal":([12]),'
    rf'"iat":{_SECONDS},"exp":{_SECONDS},"auth_time":{_SECONDS}(?:,"second_factor_time":{_SECONDS})?\}}'.encode()
).fullmatch


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say. `leeway` (seconds, 0 to 30) forgives clocks."""

    realm_id: str
    issuer: str
    audience: str
    leeway: float
    method_lists: dict[bytes, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """The `amr` that were read so far: thousands of tokens share a few."""


_Read: TypeAlias = tuple[str, str, str, tuple[str, ...], int, int, int, int, int, "int | None", "int | None"]


def read(payload: bytes, expected: Expected, now: float) -> tuple[VerifiedSession, int]:
    """Return what a payload says, and its `exp`. Raises ExpiredToken where that alone is against it, else BadToken."""
    found = _as_written(payload)
    values = _parsed(payload, expected) if found is None else _matched(found, expected)
    (
        account_id,
        session_id,
        client_id,
        methods,
        epoch,
        aal,
        issued,
        expires,
        auth_time,
        second_factor_time,
        not_before,
    ) = values
    # No token gains by an early `iat`, and the clocks of machines differ: as much as may be is forgiven always.
    if issued > now + MAX_LEEWAY_SECONDS:
        raise BadToken("issued in the future")
    if not_before is not None and not_before > now + expected.leeway:
        raise BadToken("not valid yet")
    if expires + expected.leeway <= now:
        raise ExpiredToken
    session = VerifiedSession(
        account_id,
        session_id,
        expected.realm_id,
        client_id,
        expected.audience,
        methods,
        aal,
        _EPOCH + timedelta(0, auth_time),
        None if second_factor_time is None else _EPOCH + timedelta(0, second_factor_time),
        epoch,
        _EPOCH + timedelta(0, expires),
    )
    return session, expires


def _matched(found: re.Match[bytes], expected: Expected) -> _Read:
    iss, sub, aud, client_id, sid, epoch, amr, aal, iat, exp, auth_time, second_factor_time = found.groups()
    _require_ours(iss.decode(), aud.decode(), expected)
    methods = expected.method_lists.get(amr)
    if methods is None:
        methods = tuple(amr.decode()[1:-1].split('","'))
        if len(expected.method_lists) < _MAX_METHOD_LISTS:
            expected.method_lists[amr] = methods
    return (
        sub.decode(),
        sid.decode(),
        intern(client_id.decode()),
        methods,
        int(epoch),
        int(aal),
        int(iat),
        int(exp),
        int(auth_time),
        None if second_factor_time is None else int(second_factor_time),
        None,
    )


def _parsed(payload: bytes, expected: Expected) -> _Read:
    claims = json_object(payload, "payload malformed")
    get: Callable[[str], Any] = claims.get
    _require_ours(get("iss"), get("aud"), expected)
    # Not isinstance, here and below: true and false are ints of Python's, and no numbers of JSON's.
    account_id, session_id, token_id, client_id = get("sub"), get("sid"), get("jti"), get("client_id")
    if not type(account_id) is type(session_id) is type(token_id) is type(client_id) is str or not client_id:
        raise BadToken("an identifier malformed")
    # Joined by what no UUID holds, so that one search does for three.
    if not _are_uuids(f"{account_id} {session_id} {token_id}"):
        raise BadToken("an identifier malformed")
    methods = get("amr")
    if type(methods) is not list or len(methods) > _MAX_METHODS or not _STR.issuperset(map(type, methods)):
        raise BadToken("amr malformed")
    return (
        account_id,
        session_id,
        intern(client_id),
        tuple(map(intern, methods)),
        _whole(get("epoch"), 0, _MAX_EPOCH),
        _whole(get("aal"), 1, 2),
        _whole(get("iat")),
        _whole(get("exp")),
        _whole(get("auth_time")),
        _whole(claims["second_factor_time"]) if "second_factor_time" in claims else None,
        _whole(claims["nbf"]) if "nbf" in claims else None,
    )


def _require_ours(issuer: object, audience: object, expected: Expected) -> None:
    if issuer != expected.issuer:
        raise BadToken("wrong issuer")
    if audience != expected.audience:
        raise BadToken("wrong audience")


def _whole(value: object, least: int = 0, most: int = _MAX_SECONDS) -> int:
    if type(value) is not int or not least <= value <= most:
        raise BadToken("a number malformed")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Of two values for one name, readers differ in which one counts.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse(_constant: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _require_shallow(value: object) -> None:
    level = [value]
    for _ in range(_MAX_LEVELS):
        lists = [one for one in level if isinstance(one, list)]
        lists += [list(one.values()) for one in level if isinstance(one, dict)]
        level = [inner for one in lists for inner in one]
    if level:
        raise ValueError("nested too deep")


_decode_json = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse).decode


def json_object(raw: bytes, why: str) -> dict[str, object]:
    """Read a JSON object as all clients do: no name twice, no half surrogate pair. Raises BadToken with that text."""
    try:
        value = _decode_json(raw.decode("utf-8"))
        if b"\\u" in raw:
            # Half a surrogate pair is text for some languages and none for others. Raises ValueError for one.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        if raw.count(b"[") + raw.count(b"{") >= _MAX_LEVELS:
            _require_shallow(value)
    except (ValueError, RecursionError):
        raise BadToken(why) from None
    if not isinstance(value, dict):
        raise BadToken(why)
    return value
