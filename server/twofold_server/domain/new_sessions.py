"""What a right sign-in begins: the session, the device, and the answer that carries their tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.db.sessions import SessionRow
from twofold_server.db.verdicts import DeviceUse, NewSession, Verdict
from twofold_server.domain.attempts import Origin
from twofold_server.domain.factors import AAL, AMR, STRENGTH
from twofold_server.domain.realms import Realm
from twofold_server.domain.sessions import SessionTokens, SignedIn, session_end
from twofold_server.domain.values import SecondFactor


def new_session(
    realm: Realm,
    origin: Origin,
    now: datetime,
    audience: str,
    second_factor: SecondFactor | None,
    *,
    auth_time: datetime,
    proven: tuple[str, ...] = (),
    with_password: bool = True,
    aal: int | None = None,
    ip_address: str | None = None,
    user_agent: str | None = None,
) -> NewSession:
    """The session of a right sign-in; `aal` and `amr` say what was proven, no more.

    `proven` and `aal` are what this very second factor proves, where that differs within its kind.
    """
    expire_time, absolute_expire_time = session_end(realm, now)
    return NewSession(
        session_id=uuid7(),
        salt=tokens.new_salt(),
        audience=audience,
        amr=[*(["pwd"] if with_password else []), *(_methods(second_factor, proven))],
        aal=(AAL[second_factor.kind] if aal is None else aal) if second_factor else 1,
        auth_time=auth_time,
        second_factor_time=now if second_factor else None,
        factor_strength=STRENGTH[second_factor.kind] if second_factor else 0,
        ip_address=origin.client.ip_address if ip_address is None else ip_address,
        user_agent=origin.client.user_agent if user_agent is None else user_agent,
        expire_time=expire_time,
        absolute_expire_time=absolute_expire_time,
    )


def _methods(second_factor: SecondFactor | None, proven: tuple[str, ...]) -> tuple[str, ...]:
    return (proven or AMR[second_factor.kind]) if second_factor is not None else ()


def new_device(
    device_id: UUID | None, known: bool, presented_generation: int, trusted_until: datetime | None = None
) -> DeviceUse:
    """The known device, or a new one; trusted from now on where `trusted_until` says so."""
    if known and device_id is not None:
        return DeviceUse(device_id, True, tokens.new_salt(), presented_generation, trusted_until)
    return DeviceUse(uuid7(), False, tokens.new_salt(), 0, trusted_until)


def trust_end(realm: Realm, *, wanted: bool, proven: bool, now: datetime) -> datetime | None:
    """Until when a device is trusted whose user asked for it; None where no second factor was proven just now."""
    lifetime = realm.settings.device_trust_lifetime
    return now + lifetime if wanted and proven and lifetime else None


def details_of(session: NewSession, second_factor: SecondFactor | None) -> dict[str, Any]:
    """What the history tells of a sign-in; the statement drops what did not come about."""
    details: dict[str, Any] = {"session_id": str(session.session_id), "two_factor_verified": second_factor is not None}
    if second_factor is not None:
        details["factor_kind"] = second_factor.kind
    return details


def session_row(
    realm: Realm, account_id: UUID, epoch: int, session: NewSession, device: DeviceUse, origin: Origin, now: datetime
) -> SessionRow:
    """The row that the statement has just written."""
    return SessionRow(
        session_id=session.session_id,
        realm_id=realm.realm_id,
        account_id=account_id,
        device_id=device.device_id,
        client_id=origin.client_id,
        epoch=epoch,
        audience=session.audience,
        amr=session.amr,
        aal=session.aal,
        auth_time=session.auth_time,
        second_factor_time=session.second_factor_time,
        factor_strength=session.factor_strength,
        ip_address=session.ip_address,
        user_agent=session.user_agent,
        create_time=now,
        rotated_time=now,
        expire_time=session.expire_time,
    )


async def finished(
    session_tokens: SessionTokens,
    realm: Realm,
    row: SessionRow,
    session: NewSession,
    verdict: Verdict,
    device: DeviceUse,
) -> SignedIn:
    """The answer of a finished sign-in."""
    assert verdict.device_generation is not None
    assert verdict.device_salt is not None
    made = await session_tokens.both(realm, row, 0, session.salt)
    device_token = session_tokens.device(device.device_id, verdict.device_generation, verdict.device_salt)
    return SignedIn(row, made, device_token)
