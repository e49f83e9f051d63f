"""A session in a call: what it may do, and how it alone outlives a change of its account."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from twofold_server.crypto import tokens
from twofold_server.db import accounts as db_accounts
from twofold_server.db import sessions as db_sessions
from twofold_server.db.pool import Connection
from twofold_server.db.sessions import SessionRow
from twofold_server.domain.epochs import raise_epoch
from twofold_server.domain.errors import ChangesFrozen, SessionEnded
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import RealmId


@dataclass(frozen=True, slots=True)
class ActiveSession:
    """A live session, as its access token and row show it together."""

    row: SessionRow
    account_second_factor: bool
    account_strength: int
    """Of the strongest factor that the account has enrolled; 0 without."""
    token_audience: str
    token_expire_time: datetime
    changes_frozen_until: datetime | None = None
    """Until when the account's address, number, password and factors stay as they are; may be over."""

    @property
    def session_id(self) -> UUID:
        return self.row.session_id

    @property
    def account_id(self) -> UUID:
        return self.row.account_id

    @property
    def realm_id(self) -> RealmId:
        return RealmId(self.row.realm_id)

    @property
    def epoch(self) -> int:
        return self.row.epoch

    @property
    def client_id(self) -> str:
        return self.row.client_id

    @property
    def auth_time(self) -> datetime:
        return self.row.auth_time

    @property
    def second_factor_time(self) -> datetime | None:
        return self.row.second_factor_time

    def demand_unfrozen(self, now: datetime) -> None:
        """Raise ChangesFrozen where a change of address was taken back and the account's security is to stay as it is.

        What was read at the call's start is good to its end: a freeze ends every session, this one among them.
        """
        demand_unfrozen(self.changes_frozen_until, now)

    def strongest_is_recent(self, realm: Realm, now: datetime) -> bool:
        """Whether a factor as strong as the strongest enrolled was proven in this session just now."""
        return self.row.factor_strength >= self.account_strength and is_recent(self.row.second_factor_time, realm, now)


def demand_unfrozen(until: datetime | None, now: datetime) -> None:
    """Raise ChangesFrozen where an account's changes are frozen until later than now."""
    if until is not None and until > now:
        raise ChangesFrozen(metadata={"until": f"{until:%Y-%m-%dT%H:%M:%SZ}"})


def is_recent(proof: datetime | None, realm: Realm, now: datetime) -> bool:
    """Whether a proof counts as recent: 10 minutes, unless the realm says otherwise."""
    return proof is not None and now - proof <= realm.settings.recent_proof and proof - now <= timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class CarriedOver:
    """A session that outlived a change of its account, and what its new refresh token is made of."""

    session: SessionRow
    generation: int
    salt: bytes = field(repr=False)


async def carry_over(
    tx: Connection,
    session: ActiveSession,
    *,
    second_factor: bool | None,
    now: datetime,
    amr: list[str] | None = None,
    aal: int | None = None,
    forget_second_factor: bool = False,
    auth_time: datetime | None = None,
) -> CarriedOver:
    """Raise the account's epoch, which ends all that was before, and carry this one session over, in one transaction.

    Its refresh token is made anew, so that a copy that somebody took before is worth nothing. Locks the account and the
    session, and demands the session's epoch. Raises SessionEnded.
    """
    account = await db_accounts.lock(tx, session.realm_id, session.account_id)
    if account is None or account.epoch != session.epoch or account.state != "active":
        raise SessionEnded
    locked = await db_sessions.lock(tx, session.realm_id, session.account_id, session.session_id, session.epoch, now)
    if locked is None:
        raise SessionEnded
    row, token = locked
    salt = tokens.new_salt()
    epoch = await raise_epoch(
        tx, session.realm_id, session.account_id, now, second_factor=second_factor, keep_device=row.device_id
    )
    carried = await db_sessions.prove(
        tx,
        session.realm_id,
        session.session_id,
        epoch=epoch,
        amr=row.amr if amr is None else amr,
        aal=row.aal if aal is None else aal,
        auth_time=auth_time or row.auth_time,
        second_factor_time=None if forget_second_factor else row.second_factor_time,
        factor_strength=0 if forget_second_factor else row.factor_strength,
        rotate=True,
        now=now,
        new_salt=salt,
    )
    return CarriedOver(carried, token.generation + 1, salt)
