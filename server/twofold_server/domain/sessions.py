"""Sessions: their tokens, and how they are checked, refreshed, listed and ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from twofold_server.crypto import tokens
from twofold_server.crypto.access_tokens import AccessClaims, ExpiredToken, InvalidToken, sign, verify
from twofold_server.crypto.keyring import Keyring, UnknownKey
from twofold_server.db import accounts as db_accounts
from twofold_server.db import outbox as db_outbox
from twofold_server.db import sessions as db_sessions
from twofold_server.db.pool import Pool, transaction
from twofold_server.db.sessions import SessionRow
from twofold_server.domain.active_sessions import ActiveSession, CarriedOver, carry_over
from twofold_server.domain.callers import Caller
from twofold_server.domain.checked_tokens import CheckedToken
from twofold_server.domain.clock import REVOCATION_LIFE, Clock
from twofold_server.domain.errors import (
    InvalidFields,
    SessionEnded,
    SessionExpired,
    SessionInvalid,
    SessionNotFound,
    SessionReused,
    SessionUserAgentChanged,
    Violation,
)
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.realms import Realm, Realms
from twofold_server.domain.signing_keys import PublishedKey, SigningKeys
from twofold_server.domain.values import Audience, RealmId


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a session; `refresh_token` is empty where the one held stays good."""

    access_token: str = field(repr=False)
    access_token_expire_time: datetime
    refresh_token: str = field(repr=False, default="")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session with its tokens, and the device's, where it was a sign-in."""

    session: SessionRow
    tokens: Tokens
    device_token: str = field(repr=False, default="")
    enrollment_advised: bool = False
    """The realm asks for a second factor, and the account has none."""


class SessionTokens:
    """Makes the tokens of sessions and devices."""

    def __init__(self, keyring: Keyring, signing_keys: SigningKeys, clock: Clock) -> None:
        self._keyring = keyring
        self._signing_keys = signing_keys
        self._clock = clock

    async def access(self, realm: Realm, row: SessionRow, audience: str = "") -> Tokens:
        """Sign an access token for a session as it stands."""
        now = self._clock()
        expire_time = min(now + realm.settings.access_token_lifetime, row.expire_time)
        claims = AccessClaims(
            issuer=realm.issuer,
            subject=row.account_id,
            audience=audience or row.audience,
            client_id=row.client_id,
            token_id=uuid7(),
            session_id=row.session_id,
            epoch=row.epoch,
            methods=tuple(row.amr),
            assurance=row.aal,
            issue_time=now,
            expire_time=expire_time,
            auth_time=row.auth_time,
            second_factor_time=row.second_factor_time,
        )
        return Tokens(sign(await self._signing_keys.signing(), claims), expire_time)

    def refresh(self, session_id: UUID, generation: int, salt: bytes) -> str:
        """Spell the refresh token of a session's generation."""
        key_id = self._keyring.primary
        inner = self._keyring.refresh_mac(key_id, session_id, generation)
        return tokens.format_refresh_token(session_id, generation, key_id, tokens.finish_mac(inner, salt))

    def device(self, device_id: UUID, generation: int, salt: bytes) -> str:
        """Spell the token of a device's generation."""
        key_id = self._keyring.primary
        inner = self._keyring.device_mac(key_id, device_id, generation)
        return tokens.format_device_token(device_id, generation, key_id, tokens.finish_mac(inner, salt))

    async def both(self, realm: Realm, row: SessionRow, generation: int, salt: bytes, audience: str = "") -> Tokens:
        """Make both tokens of a session."""
        access = await self.access(realm, row, audience)
        return Tokens(
            access.access_token, access.access_token_expire_time, self.refresh(row.session_id, generation, salt)
        )

    async def carried(self, realm: Realm, carried: CarriedOver, audience: str) -> SignedIn:
        """The answer of a change that one session outlived."""
        made = await self.both(realm, carried.session, carried.generation, carried.salt, audience)
        return SignedIn(carried.session, made)

    def refresh_inner(self, parts: tokens.RefreshParts) -> bytes:
        """The inner MAC that a presented refresh token should have. Raises SessionInvalid for a key not held."""
        try:
            return self._keyring.refresh_mac(parts.key_id, parts.session_id, parts.generation)
        except UnknownKey:
            raise SessionInvalid(field="refresh_token") from None

    def device_inner(self, parts: tokens.DeviceParts) -> bytes | None:
        """The inner MAC that a presented device token should have; None for a key not held."""
        try:
            return self._keyring.device_mac(parts.key_id, parts.device_id, parts.generation)
        except UnknownKey:
            return None


def demand_audience(realm: Realm, audience: Audience) -> str:
    """The audience asked for, or the realm's first. Raises InvalidFields for one that the realm does not have."""
    if not audience.text:
        return realm.settings.audiences[0]
    if audience.text not in realm.settings.audiences:
        raise InvalidFields([Violation("audience", "Not one of the realm's audiences.")])
    return audience.text


class Sessions:
    """Checks, refreshes, lists and ends sessions."""

    def __init__(
        self,
        pool: Pool,
        realms: Realms,
        signing_keys: SigningKeys,
        session_tokens: SessionTokens,
        messages: Messages,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._realms = realms
        self._signing_keys = signing_keys
        self._tokens = session_tokens
        self._messages = messages
        self._clock = clock

    async def authenticate(self, token: str, caller: Caller) -> ActiveSession:
        """The live session of an access token of this caller's, by its row, so that a sign-out is seen at once.

        The token must have been issued to the caller: a service that receives a user's token can't act as that user
        here. Raises SessionInvalid, SessionExpired, SessionEnded.
        """
        now = self._clock()
        try:
            claims = verify(token, await self._signing_keys.verification(), issuer=None, audience=None, now=now)
        except ExpiredToken:
            raise SessionExpired from None
        except InvalidToken:
            raise SessionInvalid from None
        realm_id = RealmId(claims.issuer.rpartition("/")[2])
        # Before any look at the realm: of one in which it has no grant, a caller learns nothing.
        if not caller.knows(realm_id) or (await self._realms.get(realm_id)).issuer != claims.issuer:
            raise SessionInvalid
        if claims.client_id != caller.name:
            raise SessionInvalid
        found = await db_sessions.live(self._pool, realm_id, claims.session_id, claims.epoch, now)
        if found is None:
            raise SessionEnded
        return ActiveSession(
            found.session,
            found.second_factor,
            found.strength,
            claims.audience,
            claims.expire_time,
            found.changes_frozen_until,
        )

    async def fresh(self, token: CheckedToken) -> SessionRow:
        """The session of a checked token, by its row: every sign-out that was acknowledged is seen.

        Raises SessionEnded.
        """
        found = await db_sessions.live(self._pool, token.realm_id, token.session_id, token.claims.epoch, self._clock())
        if found is None:
            raise SessionEnded
        return found.session

    async def refresh(
        self,
        realm_ids: tuple[RealmId, ...],
        client_id: str,
        presented: tokens.RefreshParts,
        audience: Audience,
        user_agent: str | None,
    ) -> SignedIn:
        """Rotate a session's refresh token. `user_agent` as `comparable` gives it.

        Raises SessionEnded, SessionReused, SessionUserAgentChanged, InvalidFields (audience).
        """
        # The realm's settings are needed before the statement, and the row's realm is only known after it: a
        # session's id says nothing. With one realm, as most callers have, there is nothing to look up.
        inner, proof = self._tokens.refresh_inner(presented), tokens.mac_proof(presented.mac)
        realm_id = (
            realm_ids[0] if len(realm_ids) == 1 else await self._realm_of_refresh(realm_ids, client_id, presented)
        )
        realm = await self._realms.get(realm_id)
        if audience.text:
            demand_audience(realm, audience)
        now = self._clock()
        settings = realm.settings
        found = await db_sessions.refresh(
            self._pool,
            realm_ids=[realm_id],
            session_id=presented.session_id,
            generation=presented.generation,
            inner=inner,
            proof=proof,
            client_id=client_id,
            now=now,
            idle=settings.session_idle,
            aal2_lifetime=settings.aal2_lifetime,
            aal2_idle=settings.aal2_idle,
            aal2_ends=settings.aal2_end == "end",
            user_agent=None if settings.session_user_agent == "ignore" else user_agent,
            user_agent_ends=settings.session_user_agent == "end",
            revocation_id=uuid7(),
            event_id=uuid7(),
            revocation_expire=now + REVOCATION_LIFE,
        )
        if found is None:
            raise SessionEnded
        if found.reused:
            await self._tell_owner(found.session, MessageKind.SESSION_REUSED)
            raise SessionReused
        changed_and_over = found.user_agent_changed and settings.session_user_agent == "end"
        if found.ended:
            raise SessionUserAgentChanged if changed_and_over else SessionEnded
        if found.user_agent_changed:
            await self._tell_owner(found.session, MessageKind.USER_AGENT_CHANGED)
        made = await self._tokens.both(realm, found.session, found.generation, found.salt, audience.text)
        return SignedIn(found.session, made)

    async def _realm_of_refresh(
        self, realm_ids: tuple[RealmId, ...], client_id: str, presented: tokens.RefreshParts
    ) -> RealmId:
        found = await db_sessions.by_refresh_token(
            self._pool,
            realm_ids=list(realm_ids),
            session_id=presented.session_id,
            inner=self._tokens.refresh_inner(presented),
            proof=tokens.mac_proof(presented.mac),
            client_id=client_id,
        )
        if found is None:
            raise SessionEnded
        return RealmId(found[0])

    async def _tell_owner(self, row: SessionRow, notice: MessageKind) -> None:
        account = await db_accounts.get(self._pool, row.realm_id, row.account_id)
        if account is None:
            return
        await db_outbox.insert(
            self._pool,
            self._messages.prepare(
                row.realm_id,
                notice,
                to=account.email,
                account_id=row.account_id,
                language=account.language_code,
                params={
                    "name": account.display_name,
                    # That of the sign-in: of whoever came with another browser it would be a wrong one.
                    "ip_address": row.ip_address if notice is MessageKind.SESSION_REUSED else "",
                    "user_agent": row.user_agent,
                },
            ),
        )

    async def sign_out(self, session: ActiveSession) -> None:
        """End a session, and its device's trust."""
        await self._end(
            session.row.realm_id, session.account_id, session.session_id, session.client_id, "signed_out", trust=True
        )

    async def sign_out_by_token(
        self, realm_ids: tuple[RealmId, ...], client_id: str, presented: tokens.RefreshParts
    ) -> None:
        """End the session of a refresh token.

        One that is over already stays so. Raises SessionInvalid for a forged one.
        """
        found = await db_sessions.by_refresh_token(
            self._pool,
            realm_ids=list(realm_ids),
            session_id=presented.session_id,
            inner=self._tokens.refresh_inner(presented),
            proof=tokens.mac_proof(presented.mac),
            client_id=client_id,
        )
        if found is None:
            raise SessionInvalid(field="refresh_token")
        realm_id, account_id = found
        await self._end(realm_id, account_id, presented.session_id, client_id, "signed_out", trust=True)

    async def revoke(self, session: ActiveSession, session_id: UUID) -> None:
        """End one of the account's sessions. Raises SessionNotFound."""
        if not await self._end(
            session.row.realm_id, session.account_id, session_id, session.client_id, "session_revoked", trust=True
        ):
            raise SessionNotFound

    async def _end(
        self, realm_id: str, account_id: UUID, session_id: UUID, client_id: str, kind: str, *, trust: bool
    ) -> bool:
        now = self._clock()
        return await db_sessions.end(
            self._pool,
            realm_id,
            account_id,
            session_id,
            kind=kind,
            client_id=client_id,
            now=now,
            end_trust=trust,
            revocation_id=uuid7(),
            revocation_expire=now + REVOCATION_LIFE,
            event_id=uuid7(),
        )

    async def revoke_others(self, session: ActiveSession) -> SignedIn:
        """End every session of the account but this one, by the epoch.

        This one is carried over. Raises SessionEnded.
        """
        realm = await self._realms.get(session.realm_id)
        now = self._clock()
        async with transaction(self._pool) as tx:
            carried = await carry_over(tx, session, second_factor=None, now=now)
        return await self._tokens.carried(realm, carried, session.token_audience)

    async def page(self, session: ActiveSession, before: UUID | None, limit: int) -> list[SessionRow]:
        """List the account's live sessions, the newest first."""
        return await db_sessions.page(self._pool, session.realm_id, session.account_id, self._clock(), before, limit)

    async def published_keys(self, realm_id: RealmId) -> tuple[Realm, list[PublishedKey]]:
        """The realm, and the keys that its tokens are verified with."""
        return await self._realms.get(realm_id), await self._signing_keys.published()


def session_end(realm: Realm, now: datetime) -> tuple[datetime, datetime]:
    """When a session that begins now ends if it is not refreshed, and at the latest."""
    absolute = now + realm.settings.session_absolute
    return min(now + realm.settings.session_idle, absolute), absolute
