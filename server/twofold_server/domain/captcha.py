"""CAPTCHAs: demanded at public entrances, always or where a network shows pressure, and each good once."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import structlog

from twofold_server.crypto import proof_of_work
from twofold_server.crypto.keyring import Keyring
from twofold_server.db import captcha as rows
from twofold_server.db.pool import Pool
from twofold_server.domain.attempts import Origin
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import CaptchaInvalid, CaptchaRequired, CaptchaUnavailable
from twofold_server.domain.realms import Realm
from twofold_server.domain.siteverify import ProviderDown, SiteVerify

_log = structlog.get_logger("twofold.captcha")

NONE: Final = "none"
ALTCHA: Final = "altcha"
_RETRY_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Pressure:
    """How hard a network presses: what it was counted for this hour, and from which count on a CAPTCHA is asked.

    `after` 0: never.
    """

    count: int
    after: int

    @property
    def is_high(self) -> bool:
        return 0 < self.after <= self.count


@dataclass(frozen=True, slots=True)
class Asked:
    """What a front end is to show: a challenge of the built-in kind, or another provider's widget by its site key."""

    provider: str
    challenge_json: str = field(default="", repr=False)
    site_key: str = ""
    expire_time: datetime | None = None


class Captchas:
    """Makes challenges, and demands their solutions."""

    def __init__(self, pool: Pool, keyring: Keyring, site_verify: SiteVerify, clock: Clock) -> None:
        self._pool = pool
        self._keyring = keyring
        self._site_verify = site_verify
        self._clock = clock
        self.outcomes: Counter[str] = Counter()
        """`passed`, `required`, `invalid`, and of a provider that was down `let_through` and `refused`, since the
        start.
        """

    async def create(self, realm: Realm) -> Asked:
        """What is to be solved in a realm. Writes nothing."""
        settings = realm.settings
        if settings.captcha_provider == NONE:
            return Asked(NONE)
        if settings.captcha_provider != ALTCHA:
            return Asked(settings.captcha_provider, site_key=settings.captcha_site_key)
        secret = self._keyring.captcha_secrets(realm.realm_id)[0]
        # Whole seconds, as they stand in the challenge.
        expire = int((self._clock() + settings.captcha_lifetime).timestamp())
        challenge = await asyncio.to_thread(proof_of_work.new_challenge, secret, settings.captcha_cost, expire)
        return Asked(ALTCHA, challenge, expire_time=datetime.fromtimestamp(expire, UTC))

    async def demand(
        self, realm: Realm, origin: Origin, *, always: bool = False, pressure: Pressure | None = None
    ) -> None:
        """Demand a solved CAPTCHA in `client.captcha`: always, or where pressure is high. It is then used up.

        A realm without a provider demands none. To be called after the budgets, which cost less, before the hash and
        outside any transaction. Raises CaptchaRequired, CaptchaInvalid, CaptchaUnavailable.
        """
        provider = realm.settings.captcha_provider
        if provider == NONE or not (always or (pressure is not None and pressure.is_high)):
            return
        if not origin.client.captcha:
            self.outcomes["required"] += 1
            raise CaptchaRequired(metadata={"provider": provider})
        if provider == ALTCHA:
            outcome = "passed" if await self._is_solved(realm, origin.client.captcha) else "invalid"
        else:
            outcome = await self._asked(realm, provider, origin.client.captcha)
        self.outcomes[outcome] += 1
        if outcome == "invalid":
            raise CaptchaInvalid
        if outcome == "refused":
            raise CaptchaUnavailable(retry_after=_RETRY_SECONDS)

    async def _is_solved(self, realm: Realm, answer: str) -> bool:
        secrets = self._keyring.captcha_secrets(realm.realm_id)
        solved = await asyncio.to_thread(proof_of_work.solved, answer, secrets)
        if solved is None:
            return False
        expire_time = datetime.fromtimestamp(solved.expire, UTC)
        if expire_time <= self._clock():
            return False
        return await rows.spend(self._pool, realm.realm_id, solved.identity, expire_time)

    async def _asked(self, realm: Realm, provider: str, answer: str) -> str:
        """Ask another provider; the outcome, by the realm's setting where the provider is down."""
        settings = realm.settings
        try:
            good = await self._site_verify.verify(
                provider, settings.captcha_site_key, answer, settings.captcha_least_score
            )
        except ProviderDown as error:
            outcome = "let_through" if settings.captcha_when_down == "open" else "refused"
            _log.warning(
                "captcha_provider_down",
                realm=realm.realm_id,
                provider=provider,
                reason=str(error),
                outcome=outcome,
            )
            return outcome
        return "passed" if good else "invalid"
