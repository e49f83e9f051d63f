"""Access tokens: ES256 JWTs of type `at+jwt` (RFC 9068), signed and verified without a JWT library's leniency."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NoReturn

from twofold_server.crypto import base64url
from twofold_server.crypto.access_claims import AccessClaims, MalformedClaims, from_payload, to_payload
from twofold_server.crypto.signing_keys import SIGNATURE_BYTES, SigningKey, VerificationKey

__all__ = ["AccessClaims", "ExpiredToken", "InvalidToken", "SigningKey", "VerificationKey", "sign", "verify"]

MAX_TOKEN_CHARACTERS: Final = 4096
MAX_LEEWAY_SECONDS: Final = 30
_MAX_HEADER_CHARACTERS: Final = 256
_TYPE: Final = "at+jwt"
_ALGORITHM: Final = "ES256"


class InvalidToken(Exception):
    """The access token is not to be trusted; `reason` is a fixed text and quotes nothing of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ExpiredToken(InvalidToken):
    """The access token was good in everything and has expired."""


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


# Of values within values; every client's verifier has the same.
_MAX_LEVELS: Final = 32
_STRICT_JSON: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)


def sign(key: SigningKey, claims: AccessClaims) -> str:
    """Return `claims` as a signed JWT of at most 4096 characters; times lose their fractions. Raises ValueError."""
    payload = json.dumps(to_payload(claims), separators=(",", ":"), ensure_ascii=False).encode()
    signed = f"{_header_segment(key.kid)}.{base64url.encode(payload)}"
    token = f"{signed}.{base64url.encode(key.signature(signed.encode('ascii')))}"
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise ValueError(f"the claims do not fit a token of {MAX_TOKEN_CHARACTERS} characters")
    return token


def verify(
    token: str,
    keys: Mapping[str, VerificationKey],
    *,
    issuer: str | None,
    audience: str | None,
    now: datetime,
    leeway_seconds: int = 0,
) -> AccessClaims:
    """Return the claims of a token that one of `keys` (by kid) signed for this issuer and audience.

    `issuer` or `audience` None takes any, for a caller that judges it afterwards. `leeway_seconds` (0 to 30) forgives
    clocks. Raises ExpiredToken where expiry alone is against the token, else InvalidToken. Nothing of the payload is
    read before the signature is good (RFC 8725).
    """
    if not 0 <= leeway_seconds <= MAX_LEEWAY_SECONDS:
        raise ValueError(f"the leeway is 0 to {MAX_LEEWAY_SECONDS} seconds")
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise InvalidToken("too long")
    segments = token.split(".")
    if len(segments) != 3:
        raise InvalidToken("not three segments")
    header_segment, payload_segment, signature_segment = segments
    key = keys.get(_kid(header_segment))
    if key is None:
        raise InvalidToken("unknown key")
    signature = base64url.decode(signature_segment)
    if signature is None or len(signature) != SIGNATURE_BYTES:
        raise InvalidToken("signature malformed")
    payload = base64url.decode(payload_segment)
    if payload is None:
        raise InvalidToken("payload malformed")
    if not key.matches(f"{header_segment}.{payload_segment}".encode("ascii"), signature):
        raise InvalidToken("signature wrong")
    try:
        claims = from_payload(_json_object(payload))
    except MalformedClaims as error:
        raise InvalidToken(str(error)) from None
    _judge(claims, issuer, audience, now, timedelta(seconds=leeway_seconds))
    return claims


def key_id_of(token: str) -> str:
    """Return the kid of a token's header. Raises InvalidToken."""
    return _kid(token.partition(".")[0])


def _judge(claims: AccessClaims, issuer: str | None, audience: str | None, now: datetime, leeway: timedelta) -> None:
    if issuer is not None and claims.issuer != issuer:
        raise InvalidToken("wrong issuer")
    if audience is not None and claims.audience != audience:
        raise InvalidToken("wrong audience")
    # The clocks of machines that share the keys differ, and no token gains by an early `iat`: it is forgiven always.
    if claims.issue_time > now + timedelta(seconds=MAX_LEEWAY_SECONDS):
        raise InvalidToken("issued in the future")
    if claims.not_before is not None and claims.not_before > now + leeway:
        raise InvalidToken("not valid yet")
    if claims.expire_time + leeway <= now:
        raise ExpiredToken("expired")


@lru_cache(maxsize=64)
def _header_segment(kid: str) -> str:
    header = {"alg": _ALGORITHM, "typ": _TYPE, "kid": kid}
    return base64url.encode(json.dumps(header, separators=(",", ":")).encode("ascii"))


@lru_cache(maxsize=256)
def _kid(segment: str) -> str:
    """Read a header of exactly alg, typ and kid: no jku, jwk, x5u, x5c or crit may name a key or a rule."""
    raw = base64url.decode(segment) if len(segment) <= _MAX_HEADER_CHARACTERS else None
    if raw is None:
        raise InvalidToken("header malformed")
    try:
        header = _json_object(raw)
    except MalformedClaims:
        raise InvalidToken("header malformed") from None
    if header.get("alg") != _ALGORITHM:
        raise InvalidToken("wrong algorithm")
    if header.get("typ") != _TYPE:
        raise InvalidToken("wrong type")
    kid = header.get("kid")
    if header.keys() != {"alg", "typ", "kid"} or not isinstance(kid, str):
        raise InvalidToken("header not exactly alg, typ and kid")
    return kid


def _json_object(raw: bytes) -> dict[str, object]:
    try:
        value = _STRICT_JSON.decode(raw.decode("utf-8"))
        if b"\\u" in raw:
            # Half a surrogate pair is text for some languages and none for others. Raises ValueError for one.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        if raw.count(b"[") + raw.count(b"{") >= _MAX_LEVELS:
            _require_shallow(value)
    except (ValueError, RecursionError):
        raise MalformedClaims("not JSON") from None
    if not isinstance(value, dict):
        raise MalformedClaims("not a JSON object")
    return value
