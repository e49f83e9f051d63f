"""What an access token says, and its spelling as JWT claims."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

# 9999-12-31T23:59:59Z: beyond it datetime has no answer.
_MAX_SECONDS: Final = 253_402_300_799
_MAX_METHODS: Final = 16


class MalformedClaims(ValueError):
    """The claims are not of their documented types."""


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """The claims of an access token (RFC 9068 and OpenID Connect Core); times are aware, of whole seconds once signed.

    `assurance` is the `aal` (1 or 2), `methods` the `amr`, `client_id` the calling service that it was issued to, and
    `epoch` the account's when the session was made or carried over.
    """

    issuer: str
    subject: uuid.UUID
    audience: str
    client_id: str
    token_id: uuid.UUID
    session_id: uuid.UUID
    epoch: int
    methods: tuple[str, ...]
    assurance: int
    issue_time: datetime
    expire_time: datetime
    auth_time: datetime
    second_factor_time: datetime | None = None
    not_before: datetime | None = None


def to_payload(claims: AccessClaims) -> dict[str, object]:
    """Spell the claims. Raises ValueError for an assurance other than 1 or 2, or a time without a zone."""
    if claims.assurance not in (1, 2):
        raise ValueError("the assurance is 1 or 2")
    payload: dict[str, object] = {
        "iss": claims.issuer,
        "sub": str(claims.subject),
        "aud": claims.audience,
        "client_id": claims.client_id,
        "jti": str(claims.token_id),
        "sid": str(claims.session_id),
        "epoch": claims.epoch,
        "amr": list(claims.methods),
        "aal": claims.assurance,
        "iat": _seconds(claims.issue_time),
        "exp": _seconds(claims.expire_time),
        "auth_time": _seconds(claims.auth_time),
    }
    if claims.second_factor_time is not None:
        payload["second_factor_time"] = _seconds(claims.second_factor_time)
    if claims.not_before is not None:
        payload["nbf"] = _seconds(claims.not_before)
    return payload


def from_payload(payload: dict[str, object]) -> AccessClaims:
    """Read claims of exactly the documented types; unknown ones are left for later versions. Raises MalformedClaims."""
    return AccessClaims(
        issuer=_text(payload, "iss"),
        subject=_uuid(payload, "sub"),
        audience=_text(payload, "aud"),
        client_id=_text(payload, "client_id"),
        token_id=_uuid(payload, "jti"),
        session_id=_uuid(payload, "sid"),
        epoch=_whole(payload, "epoch", 0, 2**31 - 1),
        methods=_texts(payload, "amr"),
        assurance=_whole(payload, "aal", 1, 2),
        issue_time=_time(payload, "iat"),
        expire_time=_time(payload, "exp"),
        auth_time=_time(payload, "auth_time"),
        second_factor_time=_time(payload, "second_factor_time") if "second_factor_time" in payload else None,
        not_before=_time(payload, "nbf") if "nbf" in payload else None,
    )


def _seconds(time: datetime) -> int:
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return int(time.timestamp() // 1)


def _text(payload: dict[str, object], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedClaims(f"{name} malformed")
    return value


def _texts(payload: dict[str, object], name: str) -> tuple[str, ...]:
    value = payload.get(name)
    if not isinstance(value, list) or len(value) > _MAX_METHODS or not all(isinstance(item, str) for item in value):
        raise MalformedClaims(f"{name} malformed")
    return tuple(value)


def _whole(payload: dict[str, object], name: str, least: int, most: int) -> int:
    value = payload.get(name)
    # Not isinstance: true and false are ints of Python's, and no numbers of JSON's.
    if type(value) is not int or not least <= value <= most:
        raise MalformedClaims(f"{name} malformed")
    return value


def _time(payload: dict[str, object], name: str) -> datetime:
    return datetime.fromtimestamp(_whole(payload, name, 0, _MAX_SECONDS), UTC)


def _uuid(payload: dict[str, object], name: str) -> uuid.UUID:
    text = _text(payload, name)
    try:
        value = uuid.UUID(text)
    except ValueError:
        raise MalformedClaims(f"{name} malformed") from None
    # uuid.UUID also takes braces, `urn:uuid:` and capitals, under which one account would have many names.
    if str(value) != text:
        raise MalformedClaims(f"{name} malformed")
    return value
