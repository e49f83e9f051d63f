"""Hints of a forgotten address: for the name of something that its account owns, the address with most of it masked.

A name that nobody has gets a made-up hint, the same each time. Reading, masking and writing are the same for both.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from uuid_utils.compat import uuid7

from twofold_server.crypto.keyring import Keyring
from twofold_server.db import outbox as db_outbox
from twofold_server.db import resources as db_resources
from twofold_server.db.pool import Pool
from twofold_server.domain.attempts import Origin, count_call, hourly_limit
from twofold_server.domain.captcha import Captchas
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import SignInHintUnavailable
from twofold_server.domain.masking import mask_email
from twofold_server.domain.messages import MessageKind, Messages
from twofold_server.domain.realms import Realm
from twofold_server.domain.written_texts import ResourceName

# Told to nobody: the message to it has a ticket that does not exist, and the worker drops it.
_NOBODY: Final = "nobody@example.org"
# How local parts begin, by names that are common where the languages of our messages are spoken, and by habits.
_LOCAL_PARTS: Final = (
    "adam", "alena", "alex", "alice", "andrea", "anna", "anne", "antonin", "barbora", "bart", "camille", "carl",
    "chris", "claire", "daan", "dana", "daniel", "david", "denis", "dirk", "dominik", "eliska", "emma", "erik", "eva",
    "filip", "florian", "francois", "frank", "gabriela", "georg", "hana", "hans", "helena", "hugo", "info", "ivana",
    "jakub", "jan", "jana", "jean", "jiri", "johan", "john", "josef", "julia", "julie", "kamil", "karel", "katerina",
    "klaus", "lars", "laura", "lenka", "leon", "lisa", "lucas", "lucie", "lukas", "maarten", "magda", "marc", "marek",
    "maria", "marie", "mark", "martin", "martina", "mathieu", "matthias", "michael", "michal", "milan", "monika",
    "nathalie", "nicolas", "nikola", "office", "oliver", "ondrej", "otto", "patrik", "paul", "pavel", "peter", "petr",
    "petra", "philippe", "pierre", "radek", "renata", "richard", "robert", "roman", "sabine", "sander", "sara",
    "sebastian", "simon", "sophie", "stefan", "sven", "tereza", "thomas", "tim", "tomas", "ulrich", "vaclav",
    "veronika", "viktor", "vojta", "wim", "yves", "zdenek", "zuzana", "j.novak", "m.muller", "a.jansen", "p.martin",
    "jn", "t",
)  # fmt: skip
_DOMAINS: Final = (
    *("gmail.com",) * 14, *("seznam.cz",) * 5, *("outlook.com",) * 3, *("hotmail.com",) * 3, *("yahoo.com",) * 2,
    *("icloud.com",) * 2, *("email.cz",) * 2, *("gmx.de",) * 2, *("web.de",) * 2, "centrum.cz", "post.cz", "volny.cz",
    "gmx.net", "t-online.de", "freenet.de", "proton.me", "live.com", "live.nl", "ziggo.nl", "kpnmail.nl", "hotmail.fr",
    "orange.fr", "free.fr", "laposte.net", "wanadoo.fr", "yahoo.fr", "atlas.cz", "agency.com", "bakker.nl",
    "consult.eu", "design.cz", "energie.de", "firma.cz", "garten.de", "hotel.com", "institut.fr", "jura.cz",
    "kontor.de", "labor.eu", "media.org", "nova.net", "optik.cz", "praxis.de", "reklama.cz", "school.org", "studio.io",
    "technik.de", "uni.cz", "verein.org", "wood.nl",
)  # fmt: skip
_FIRST: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_LETTERS: Final = _FIRST[:26]
_SECOND: Final = _FIRST + "._-"
_SECOND_OF_DOMAIN: Final = _FIRST + ".-"
# Of so many hints one has letters drawn at random: what is never made up would else be known as real.
_RARELY: Final = 4
# Of so many of those one shows one letter, and one no letter, of what is short: some are, as among real addresses, and
# hardly more, or their length would tell the made-up from the real.
_SHORT: Final = 24


class SignInHints:
    """Tells hints, in realms that allow them."""

    def __init__(self, pool: Pool, keyring: Keyring, messages: Messages, captchas: Captchas, clock: Clock) -> None:
        self._pool = pool
        self._keyring = keyring
        self._messages = messages
        self._captchas = captchas
        self._clock = clock

    async def hint(self, realm: Realm, name: ResourceName, origin: Origin) -> str:
        """Tell a hint such as `lu**@we***.c**`, for every name; the owner, where there is one, is told by mail.

        Raises SignInHintUnavailable, TooManyAttempts (its network), CaptchaRequired, CaptchaInvalid,
        CaptchaUnavailable.
        """
        if not realm.settings.sign_in_hint:
            raise SignInHintUnavailable
        settings, client = realm.settings, origin.client
        limit = hourly_limit(client, settings.hints_per_network_per_hour, settings.hints_per_caller_per_hour)
        await count_call(self._pool, realm.realm_id, f"hint {client.network}", limit, self._clock())
        await self._captchas.demand(realm, origin, always=True)
        owner = await db_resources.owner(self._pool, realm.realm_id, name.key)
        # The same each time, another one in each deployment.
        invented = mask_email(made_up(self._keyring.identifier_mac(realm.realm_id, f"hint:{name.key}")))
        # Of the form by which it is unique: capitals and accents would tell that somebody has written it.
        real = mask_email(_plain(owner.email_key or _NOBODY))
        notice = self._messages.prepare(
            realm.realm_id,
            MessageKind.SIGN_IN_HINT,
            to=owner.email or _NOBODY,
            account_id=owner.account_id,
            ticket_id=uuid7() if owner.account_id is None else None,
            language=owner.language_code or origin.client.language_code or realm.settings.language_code,
            params={"name": owner.display_name or "", **origin.personal},
        )
        await db_outbox.insert(self._pool, notice)
        return invented if owner.account_id is None else real


def made_up(mac: bytes) -> str:
    """An address that nobody need have, drawn by 32 bytes: such as are common, and now and then one of any letters."""
    drawn = [int.from_bytes(mac[at : at + 8]) for at in range(0, 32, 8)]
    local = _LOCAL_PARTS[drawn[0] % len(_LOCAL_PARTS)]
    domain = _DOMAINS[drawn[1] % len(_DOMAINS)]
    rare, turn = divmod(drawn[2], _RARELY)
    if turn == 0:
        local = _drawn(*_cut(rare, _FIRST, _SECOND))
    rare, turn = divmod(drawn[3], _RARELY)
    if turn == 0:
        rare, top = divmod(rare, len(_LETTERS))
        domain = f"{_drawn(*_cut(rare, _FIRST, _SECOND_OF_DOMAIN))}.{_drawn(top, _LETTERS)}"
    return f"{local}@{domain}"


def _cut(number: int, *alphabets: str) -> tuple[int, *tuple[str, ...]]:
    """The alphabets, or now and then fewer of them: masks show less of what is short."""
    number, turn = divmod(number, _SHORT)
    return number, *alphabets[: min(turn, len(alphabets))]


def _drawn(number: int, *alphabets: str) -> str:
    """A character of each alphabet, and one that no mask shows."""
    shown = ""
    for alphabet in alphabets:
        number, place = divmod(number, len(alphabet))
        shown += alphabet[place]
    return f"{shown}x"


def _plain(address: str) -> str:
    """An address as a made-up one could be: its local part begins with no sign that none of those begins with."""
    text = "".join(c for c in unicodedata.normalize("NFKD", address) if not unicodedata.combining(c))
    local, at, domain = text.rpartition("@")
    for place, alphabet in enumerate((_FIRST, _SECOND)):
        if local[place : place + 1] not in alphabet:
            local = f"{local[:place]}x"
    return f"{local}{at}{domain}"
