"""Realms: their settings, the limits of these, and how a change reaches the servers."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.conftest import Clock
from twofold_server.db import realms as rows
from twofold_server.db.pool import Pool, open_pool
from twofold_server.domain.errors import RealmNotFound
from twofold_server.domain.realm_settings import PRESETS, RealmSettings, docs, parse
from twofold_server.domain.realms import RealmRefused, Realms
from twofold_server.domain.setting_forms import show
from twofold_server.domain.values import RealmId

DEFAULT = RealmId("default")


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database, 5)
    yield pool
    await pool.close()


@pytest.fixture
def realms(pool: Pool, clock: Clock) -> Realms:
    return Realms(pool, clock, issuer="https://twofold.test")


async def test_the_default_realm_is_there_with_the_defaults(realms: Realms) -> None:
    """Every deployment has the realm `default`, its issuer below the server's, waits of 30 s from five failures on."""
    realm = await realms.get(DEFAULT)
    assert realm.settings == RealmSettings()
    assert realm.issuer == "https://twofold.test/default"
    seconds = [wait.total_seconds() for wait in realm.waits]
    assert seconds == [0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600]


async def test_a_realm_that_is_not_there_is_not_found(realms: Realms) -> None:
    """An unknown realm is RealmNotFound, for get and set alike."""
    with pytest.raises(RealmNotFound):
        await realms.get(RealmId("nowhere"))
    with pytest.raises(RealmNotFound):
        await realms.set("nowhere", {"password_minimum": "12"})


async def test_settings_are_kept_in_text_that_people_write(realms: Realms) -> None:
    """Durations, numbers, truth values and lists are read from text; what is not set stays at its default."""
    realm = await realms.create(
        "shop",
        "The shop",
        {
            "activation_lifetime": "36h",
            "password_minimum": "12",
            "global_addresses_only": "yes",
            "audiences": "shop, api",
            "link_base_url": "https://shop.example.com/account/",
            "aal2_end": "end",
        },
    )
    assert realm.settings.activation_lifetime == timedelta(hours=36)
    assert realm.settings.password_minimum == 12
    assert realm.settings.global_addresses_only
    assert realm.settings.audiences == ("shop", "api")
    assert realm.settings.link_base_url == "https://shop.example.com/account"
    assert realm.settings.aal2_end == "end"
    assert realm.settings.resend_wait == RealmSettings().resend_wait
    again = await realms.set("shop", {"password_minimum": ""})
    assert again.settings.password_minimum == 8
    assert again.settings.activation_lifetime == timedelta(hours=36)


async def test_the_nist_preset_turns_the_deviations_off(realms: Realms) -> None:
    """`preset=nist`: 15 characters, links of 24 h, no drift; a setting beside it still counts."""
    realm = await realms.set("default", {"preset": "nist", "password_minimum": "20"})
    assert realm.settings.password_minimum == 20
    assert realm.settings.activation_lifetime == timedelta(hours=24)
    assert realm.settings.totp_drift_steps == 0
    realm = await realms.set("default", {"password_minimum": ""})
    assert realm.settings.password_minimum == 15


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password_minimum", "7"),
        ("password_minimum", "65"),
        ("password_minimum", "eight"),
        ("password_minimum", "-1"),
        ("password_minimum", "٨"),
        ("password_minimum", "9" * 30),
        ("activation_lifetime", "15d"),
        ("activation_lifetime", "1w"),
        ("activation_lifetime", "999999999d"),
        ("access_token_lifetime", "16m"),
        ("session_idle", "31d"),
        ("first_wait", "3601s"),
        ("longest_wait", "29s"),
        ("free_failures", "0"),
        ("known_ceiling", "101"),
        ("aal2_end", "never"),
        ("global_addresses_only", "2"),
        ("audiences", ","),
        ("audiences", "a,a"),
        ("audiences", "with space"),
        ("audiences", ",".join(f"a{n}" for n in range(51))),
        ("link_base_url", "http://shop.example.com"),
        ("link_base_url", "https://user@shop.example.com"),
        ("link_base_url", "https://shop.example.com/?next=1"),
        ("link_base_url", "https://shop.example.com/#x"),
        ("link_base_url", "javascript:alert(1)"),
        ("link_base_url", "//shop.example.com"),
        ("link_base_url", "https://shop.example.com/\nX-Header: 1"),
        ("link_base_url", "https://[::1"),
        ("mail_from_name", "a\r\nBcc: x"),
        ("mail_from_name", "see https://evil.example"),
        ("totp_issuer", "\u202eevil"),
        ("language_code", "not a tag"),
        ("passkey_rp_id", "https://example.com"),
        ("passkey_rp_id", "example.com:443"),
        ("passkey_rp_id", "Example.com"),
        ("passkey_rp_id", "com"),
        ("passkey_rp_id", "192.0.2.1"),
        ("passkey_rp_id", "::1"),
        ("passkey_rp_id", "exämple.com"),
        ("passkey_rp_id", "example.com."),
        ("passkey_rp_id", "a..b"),
        ("passkey_rp_id", "a" * 64 + ".com"),
        ("passkey_origins", "http://example.com"),
        ("passkey_origins", "http://localhost.example.com"),
        ("passkey_origins", "http://127.0.0.1:8080"),
        ("passkey_origins", "https://example.com/"),
        ("passkey_origins", "https://example.com:443"),
        ("passkey_origins", "http://localhost:80"),
        ("passkey_origins", "https://Example.com"),
        ("passkey_origins", "https://user@example.com"),
        ("passkey_origins", "https://example.com:99999"),
        ("passkey_origins", "https://example.com:x"),
        ("passkey_origins", "https://example.com?"),
        ("passkey_origins", "https://*.example.com"),
        ("passkey_origins", "https://[::1]"),
        ("passkey_origins", "null"),
        ("passkey_origins", "https://example.com,"),
        ("passkey_origins", "https://example.com,https://example.com"),
        ("preset", "none"),
        ("no_such_setting", "1"),
    ],
)
async def test_a_setting_out_of_its_limits_is_refused(realms: Realms, pool: Pool, name: str, value: str) -> None:
    """The refusal names the setting, and the realm stays as it was."""
    with pytest.raises(RealmRefused, match=name.partition("_")[0]):
        await realms.set("default", {name: value})
    assert await pool.fetchval("SELECT settings FROM realms") == {}


async def test_passkeys_are_of_one_domain_and_its_origins(realms: Realms) -> None:
    """Origins at the domain or below it, http for localhost alone; look-alikes of the domain are refused."""
    assert RealmSettings().passkey_rp_id == ""
    realm = await realms.set(
        "default",
        {"passkey_rp_id": "example.com", "passkey_origins": "https://example.com,https://app.example.com:8443"},
    )
    assert realm.settings.passkey_origins == ("https://example.com", "https://app.example.com:8443")
    for other in ("https://evilexample.com", "https://example.com.evil.test", "https://com", "http://localhost:3000"):
        with pytest.raises(RealmRefused, match="passkey_origins"):
            await realms.set("default", {"passkey_origins": other})
    with pytest.raises(RealmRefused, match="passkey_origins"):
        await realms.set("default", {"passkey_rp_id": "app.example.com"})
    realm = await realms.set("default", {"passkey_rp_id": "localhost", "passkey_origins": "http://localhost:3000"})
    assert realm.settings.passkey_origins == ("http://localhost:3000",)
    # Off, whatever origins are left.
    assert (await realms.set("default", {"passkey_rp_id": ""})).settings.passkey_rp_id == ""


@pytest.mark.parametrize("realm_id", ["", "Shop", "a_b", "-a", "a" * 64, "ä", "a\n"])
async def test_ids_are_plain(realms: Realms, realm_id: str) -> None:
    """A realm's id stands in issuers and URLs: lower-case letters, digits and inner hyphens."""
    with pytest.raises(RealmRefused):
        await realms.create(realm_id)


async def test_a_taken_id_is_refused(realms: Realms) -> None:
    """A realm is made once."""
    with pytest.raises(RealmRefused, match="already"):
        await realms.create("default")


async def test_another_server_follows_within_five_seconds(pool: Pool, realms: Realms, clock: Clock) -> None:
    """The server that changes a realm sees it at once, others when their cache has aged."""
    other = Realms(pool, clock, issuer="https://twofold.test")
    assert (await other.get(DEFAULT)).settings.password_minimum == 8
    await realms.set("default", {"password_minimum": "12"})
    assert (await realms.get(DEFAULT)).settings.password_minimum == 12
    assert (await other.get(DEFAULT)).settings.password_minimum == 8
    clock.advance(5.1)
    assert (await other.get(DEFAULT)).settings.password_minimum == 12


async def test_of_two_changes_at_once_none_is_lost(pool: Pool, realms: Realms, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change on top of one that was not seen is refused, not silently undone."""
    stale = await rows.by_id(pool, "default")
    await realms.set("default", {"password_minimum": "12"})

    async def by_id(*_: object) -> rows.RealmRow | None:
        return stale

    monkeypatch.setattr(rows, "by_id", by_id)
    with pytest.raises(RealmRefused, match="somebody else"):
        await realms.set("default", {"resend_limit": "3"})
    assert await pool.fetchval("SELECT settings FROM realms") == {"password_minimum": 12}


async def test_what_a_newer_release_stored_is_left_alone(pool: Pool, realms: Realms) -> None:
    """A setting that this release does not know neither breaks the realm nor is lost at the next change."""
    await pool.execute("UPDATE realms SET settings = $1", {"of_the_future": 1})
    assert (await realms.get(DEFAULT)).settings == RealmSettings()
    await realms.set("default", {"password_minimum": "12"})
    assert await pool.fetchval("SELECT settings FROM realms") == {"of_the_future": 1, "password_minimum": 12}


def test_every_setting_is_documented_and_its_default_is_within_its_limits() -> None:
    """Each default is read back from its own text, alone and in every preset, and has a line of documentation."""
    for name, default, text in docs():
        assert text.endswith(".")
        if default:
            stored = json.loads(json.dumps(parse(name, default)))
            assert show(getattr(RealmSettings.of({name: stored}), name)) == default
    for preset in PRESETS:
        RealmSettings.of({"preset": preset})
