"""CAPTCHAs of others: hCaptcha, Turnstile and reCAPTCHA, which all speak the siteverify protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from twofold_server.egress.http import EgressError, Http

ENDPOINTS: Final[Mapping[str, str]] = {
    "hcaptcha": "https://api.hcaptcha.com/siteverify",
    "turnstile": "https://challenges.cloudflare.com/turnstile/v0/siteverify",
    "recaptcha": "https://www.google.com/recaptcha/api/siteverify",
}
# They blame the operator's settings or the provider itself: whoever solved the CAPTCHA can do nothing about them.
# Not `bad-request`: all but the token is ours, and a token that brings it about opens no realm that is open when down.
_NOT_THE_USERS: Final = frozenset({
    "missing-input-secret", "invalid-input-secret", "sitekey-secret-mismatch", "not-using-dummy-secret",
    "internal-error",
})  # fmt: skip
# Likewise: the request was malformed, or longer than the provider takes.
_OF_THE_TOKEN: Final = frozenset({400, 413, 414, 422, 431})


class ProviderDown(Exception):
    """The provider can't be asked, or does not answer the question; the text holds no token and no secret."""


class SiteVerify:
    """Asks providers whether what a widget returned is a solved CAPTCHA. They take each token once."""

    def __init__(
        self, http: Http | None, secrets: Mapping[str, str], endpoints: Mapping[str, str] | None = None
    ) -> None:
        """`secrets` by site key; `endpoints` by provider, in place of ENDPOINTS. Without `http` nobody is asked."""
        self._http = http
        self._secrets = dict(secrets)
        self._endpoints = {**ENDPOINTS, **(endpoints or {})}

    async def verify(self, provider: str, site_key: str, token: str, least_score: int) -> bool:
        """Say whether a token is good; `least_score` (0 to 100) is what reCAPTCHA's v3 must have given it.

        The user's address is not sent: the widget has shown it to the provider, and it may have changed since. Raises
        ProviderDown.
        """
        secret = self._secrets.get(site_key)
        if self._http is None or secret is None:
            raise ProviderDown("no secret is set for the site key")
        form = {"secret": secret, "response": token}
        if provider == "hcaptcha":
            # A token of another site of the same account is none of this one.
            form["sitekey"] = site_key
        try:
            answer = await self._http.post(
                self._endpoints[provider],
                body=urlencode(form).encode("ascii"),
                headers={"content-type": "application/x-www-form-urlencoded"},
            )
        except EgressError as error:
            raise ProviderDown(f"{type(error).__name__}: {error}") from None
        found = _read(answer.body)
        if found is None and answer.status in _OF_THE_TOKEN:
            return False
        if answer.status >= 500 or answer.status == 429 or found is None:
            raise ProviderDown(f"answered {answer.status}")
        codes = found.get("error-codes")
        if found["success"] is not True and isinstance(codes, list):
            blamed = sorted(code for code in codes if isinstance(code, str) and code in _NOT_THE_USERS)
            if blamed:
                raise ProviderDown(", ".join(blamed))
        if found["success"] is not True:
            return False
        score = found.get("score")
        # v3 calls every token a success, a robot's too. hCaptcha's score means the opposite.
        return not (
            provider == "recaptcha"
            and isinstance(score, int | float)
            and not isinstance(score, bool)
            and score * 100 < least_score
        )


def _read(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("success"), bool) else None
