"""Access tokens checked from memory: by signature once, by expiry and revocation at every use."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from twofold_server.crypto.access_tokens import AccessClaims, ExpiredToken, InvalidToken, key_id_of, verify
from twofold_server.domain.callers import Caller
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import SessionEnded, SessionExpired, SessionInvalid
from twofold_server.domain.realms import Realms
from twofold_server.domain.revocations import Revocations
from twofold_server.domain.signing_keys import SigningKeys
from twofold_server.domain.values import RealmId

_KEPT: Final = 50_000


@dataclass(frozen=True, slots=True)
class CheckedToken:
    """A token whose signature and realm were right; the texts are what revocations are looked up by."""

    claims: AccessClaims
    realm_id: RealmId
    key_id: str
    session_key: str
    account_key: str

    @property
    def session_id(self) -> UUID:
        return self.claims.session_id

    @property
    def audience(self) -> str:
        return self.claims.audience

    @property
    def expire_time(self) -> datetime:
        return self.claims.expire_time


class CheckedTokens:
    """Tells whether an access token counts, without the database: at most a revocation poll behind."""

    def __init__(self, realms: Realms, signing_keys: SigningKeys, revocations: Revocations, clock: Clock) -> None:
        self._realms = realms
        self._signing_keys = signing_keys
        self._revocations = revocations
        self._clock = clock
        # By the SHA-256 of the whole token: a copy with another signature is another token (RFC 8725).
        self._checked: dict[bytes, CheckedToken] = {}

    async def check(self, token: str, caller: Caller) -> CheckedToken:
        """The token, if it counts and is of a realm in which the caller has a grant.

        Raises SessionInvalid, SessionExpired, SessionEnded, and DatabaseUnavailable where revocations are not current.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = self._checked.get(digest)
        if found is None:
            found = await self._verified(token)
            self._keep(digest, found)
        if not caller.knows(found.realm_id):
            raise SessionInvalid
        claims = found.claims
        if claims.expire_time <= self._clock():
            del self._checked[digest]
            raise SessionExpired
        if self._revocations.is_dead(found.session_key, found.account_key, claims.epoch, found.key_id, found.realm_id):
            raise SessionEnded
        return found

    async def _verified(self, token: str) -> CheckedToken:
        keys = await self._signing_keys.verification()
        try:
            claims = verify(token, keys, issuer=None, audience=None, now=self._clock())
        except ExpiredToken:
            raise SessionExpired from None
        except InvalidToken:
            raise SessionInvalid from None
        realm_id = RealmId(claims.issuer.rpartition("/")[2])
        if (await self._realms.get(realm_id)).issuer != claims.issuer:
            raise SessionInvalid
        return CheckedToken(claims, realm_id, key_id_of(token), str(claims.session_id), str(claims.subject))

    def _keep(self, digest: bytes, token: CheckedToken) -> None:
        while len(self._checked) >= _KEPT:
            # The oldest: most of those have expired.
            del self._checked[next(iter(self._checked))]
        self._checked[digest] = token
