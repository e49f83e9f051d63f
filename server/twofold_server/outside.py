"""Who else is asked on behalf of a call, by the settings: CAPTCHA providers and lists of breached passwords."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from twofold_server.domain.breached_passwords import BreachedPasswords, BreachList, FileList, RangeList
from twofold_server.domain.siteverify import SiteVerify
from twofold_server.egress.http import Http, Origin
from twofold_server.settings import FILE_SCHEME, Settings

# A call waits for the answer: less than its deadline, so that the setting for an outage decides, and not the deadline.
_SECONDS: Final = 3.0


def site_verify(settings: Settings) -> SiteVerify:
    """Who checks CAPTCHAs beside the built-in one. Raises ValueError for an origin that is none."""
    secrets = {key: secret.get_secret_value() for key, secret in settings.captcha_secrets.items()}
    endpoints = {str(provider): url for provider, url in settings.captcha_endpoints.items()}
    return SiteVerify(_http(settings) if secrets else None, secrets, endpoints)


def breached_passwords(settings: Settings) -> BreachedPasswords | None:
    """The list of breached passwords, if there is one. Raises ValueError for a file that is none."""
    where = settings.breached_passwords
    if where == "off":
        return None
    source: BreachList
    if where.startswith(FILE_SCHEME):
        source = FileList(Path(where.removeprefix(FILE_SCHEME)))
    else:
        source = RangeList(_http(settings), where)
    return BreachedPasswords(source, open_when_down=settings.breached_passwords_when_down == "open")


def _http(settings: Settings) -> Http:
    allowed = [Origin.parse(origin) for origin in settings.http_allowed]
    return Http(allowed, ca_file=settings.http_ca_file, seconds=_SECONDS)
