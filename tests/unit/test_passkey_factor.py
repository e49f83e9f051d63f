"""Passkeys as a factor: enrolled, asked for, proven, found without a name; told truthfully, sealed, never another's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.authenticator import BACKED_UP, ELIGIBLE, PRESENT, VERIFIED, Authenticator, b64, lying, unb64
from twofold.v1 import account_pb2, sign_in_pb2
from twofold_server.crypto.hash_engine import HashEngine
from twofold_server.crypto.keyring import Keyring, SealBroken
from twofold_server.domain.errors import FactorKindUnavailable, InvalidFields, TwoFactorNotEnrolled
from twofold_server.domain.factors import passkey
from twofold_server.domain.factors.kinds import secret_place
from twofold_server.domain.factors.passkey import Passkey, Question, Verdict
from twofold_server.domain.realm_settings import RealmSettings
from twofold_server.domain.realms import Realm
from twofold_server.domain.values import PasskeyAnswer, RealmId
from twofold_server.rpc.door import reading

ORIGIN = "https://example.com"
KEYRING = Keyring.from_text(Keyring.generate())


def realm_of(realm_id: str = "default", **stored: object) -> Realm:
    settings = RealmSettings.of({"passkey_rp_id": "example.com", **stored})
    return Realm(RealmId(realm_id), "Shop", settings, "https://twofold.test/default", settings.waits)


REALM = realm_of()
OFF = realm_of(passkey_rp_id="")


@dataclass
class Rows:
    """What a read brings of an account's factors."""

    account_id: UUID | None = field(default_factory=uuid4)
    factor_ids: list[UUID] | None = None
    factor_kinds: list[str] | None = None
    factor_secrets: list[bytes] | None = None
    backup_hash: bytes | None = None
    backup_set_id: UUID | None = None

    def add(self, made: Passkey) -> UUID:
        factor_id = uuid4()
        sealed = made.sealed(KEYRING, secret_place(REALM.realm_id, self.account_id, factor_id))
        self.factor_ids = [*(self.factor_ids or ()), factor_id]
        self.factor_kinds = [*(self.factor_kinds or ()), passkey.KIND]
        self.factor_secrets = [*(self.factor_secrets or ()), sealed]
        return factor_id


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[HashEngine]:
    engine = HashEngine(slots_directory=tmp_path, slots=1)
    yield engine
    await engine.close()


def begun(rows: Rows) -> Question:
    return passkey.begin(KEYRING, REALM, rows, email="ada@example.com", display_name="")


async def enrol(engine: HashEngine, rows: Rows, device: Authenticator) -> UUID:
    question = begun(rows)
    made = await passkey.finish(engine, REALM, question.payload, PasskeyAnswer(device.create(question.options_json)))
    assert made is not None
    return rows.add(made)


async def prove(engine: HashEngine, rows: Rows, question: Question, answer: str, **how: bool) -> Verdict:
    return await passkey.verify(KEYRING, engine, REALM, rows, question.payload, PasskeyAnswer(answer), **how)


async def test_a_passkey_is_enrolled_and_answers_a_challenge(engine: HashEngine) -> None:
    """The verdict names the factor, and what its row holds from now on, which is good for the next one."""
    rows, device = Rows(), Authenticator(ORIGIN)
    with pytest.raises(TwoFactorNotEnrolled):
        passkey.challenge(KEYRING, REALM, rows)
    first, second = await enrol(engine, rows, Authenticator(ORIGIN)), await enrol(engine, rows, device)
    for count in (1, 2):
        question = passkey.challenge(KEYRING, REALM, rows)
        verdict = await prove(engine, rows, question, device.get(question.options_json))
        assert (verdict.right, verdict.factor_id, verdict.sign_count) == (True, second, count)
        assert verdict.counter_went_back is False
        assert verdict.secret is not None
        assert rows.factor_secrets is not None
        rows.factor_secrets[1] = verdict.secret
    assert first != second


async def test_a_device_makes_one_passkey_of_an_account(engine: HashEngine) -> None:
    """The account's passkeys are excluded, under one handle that says nothing of the account."""
    rows, device = Rows(), Authenticator(ORIGIN)
    await enrol(engine, rows, device)
    again = json.loads(begun(rows).options_json)
    assert [one["id"] for one in again["excludeCredentials"]] == [b64(id) for id in device.passkeys]
    assert {one.user_handle for one in device.passkeys.values()} == {unb64(again["user"]["id"])}
    assert len(unb64(again["user"]["id"])) == 32
    assert str(rows.account_id) not in begun(rows).options_json
    assert json.loads(begun(Rows()).options_json)["user"]["id"] != again["user"]["id"]
    with pytest.raises(ValueError, match="InvalidState"):
        device.create(json.dumps(again))


async def test_an_answer_to_another_question_is_wrong(engine: HashEngine) -> None:
    """Of an enrolment or challenge that was replaced, of another account, replayed: wrong, and no exception."""
    rows, device = Rows(), Authenticator(ORIGIN)
    old, new = begun(rows), begun(rows)
    assert await passkey.finish(engine, REALM, new.payload, PasskeyAnswer(device.create(old.options_json))) is None
    await enrol(engine, rows, device)
    old, new = (passkey.challenge(KEYRING, REALM, rows) for _ in range(2))
    assert await prove(engine, rows, new, device.get(old.options_json)) == passkey.WRONG
    other = Rows()
    await enrol(engine, other, Authenticator(ORIGIN))
    question = passkey.challenge(KEYRING, REALM, rows)
    assert await prove(engine, other, question, device.get(question.options_json)) == passkey.WRONG
    assert await prove(engine, Rows(), question, device.get(question.options_json)) == passkey.WRONG
    for text in ("x", "{}", "[" * 16_000):
        assert await prove(engine, rows, question, text) == passkey.WRONG
        assert await passkey.finish(engine, REALM, new.payload, PasskeyAnswer(text)) is None


@pytest.mark.parametrize("synced", [False, True])
async def test_what_is_proven_is_told_truthfully(engine: HashEngine, synced: bool) -> None:
    """A hardware key only where the passkey is bound to its device, and has never said otherwise."""
    rows, device = Rows(), Authenticator(ORIGIN, synced=synced)
    await enrol(engine, rows, device)
    question = passkey.challenge(KEYRING, REALM, rows)
    verdict = await prove(engine, rows, question, device.get(question.options_json))
    assert verdict.amr == (("swk", "user", "mfa") if synced else ("hwk", "user", "mfa"))
    if synced:
        return
    for flags in (PRESENT | VERIFIED | ELIGIBLE | BACKED_UP, PRESENT | VERIFIED):
        verdict = await prove(engine, rows, question, device.get(question.options_json, lying(flags=flags)))
        assert verdict.amr == ("swk", "user", "mfa")
        assert verdict.secret is not None
        rows.factor_secrets = [verdict.secret]


@pytest.mark.parametrize("synced", [False, True])
async def test_a_stale_counter_locks_nobody_out(engine: HashEngine, synced: bool) -> None:
    """It is right, told to the caller, and the row takes the lower count."""
    rows, device = Rows(), Authenticator(ORIGIN, synced=synced)
    await enrol(engine, rows, device)
    question = passkey.challenge(KEYRING, REALM, rows)
    for count, back in ((9, False), (3, True), (4, False)):
        verdict = await prove(engine, rows, question, device.get(question.options_json, lying(sign_count=count)))
        assert (verdict.right, verdict.counter_went_back, verdict.sign_count) == (True, back, count)
        assert verdict.secret is not None
        rows.factor_secrets = [verdict.secret]


async def test_who_signs_in_without_a_name_is_found_by_the_passkey(engine: HashEngine) -> None:
    """The row is found by a hash of the id, by realm; the device must say whose passkey it is, and say it right."""
    rows, device = Rows(), Authenticator(ORIGIN)
    await enrol(engine, rows, device)
    question = passkey.discover(REALM)
    assert json.loads(question.options_json)["allowCredentials"] == []
    answer = device.get(question.options_json)
    found = passkey.looked_up_by(REALM, PasskeyAnswer(answer))
    assert found == passkey.credential_hash(REALM, next(iter(device.passkeys)))
    assert found != passkey.looked_up_by(realm_of("other"), PasskeyAnswer(answer))
    assert passkey.looked_up_by(REALM, PasskeyAnswer("x")) is None
    assert (await prove(engine, rows, question, answer, first_factor=True)).right
    for lies in (lying(no_user_handle=True), lying(user_handle=b"somebody else")):
        lie = device.get(question.options_json, lies)
        assert await prove(engine, rows, question, lie, first_factor=True) == passkey.WRONG
    # As a second factor the account is known, and devices may leave the handle out.
    silent = device.get(question.options_json, lying(no_user_handle=True))
    assert (await prove(engine, rows, question, silent)).right


async def test_what_is_kept_is_sealed_for_its_row(engine: HashEngine) -> None:
    """A passkey's row opens in its own place alone."""
    rows = Rows()
    factor_id = await enrol(engine, rows, Authenticator(ORIGIN))
    assert rows.factor_secrets is not None
    with pytest.raises(SealBroken):
        Passkey.opened(KEYRING, rows.factor_secrets[0], secret_place(REALM.realm_id, uuid4(), factor_id))


async def test_a_realm_without_a_domain_has_no_passkeys(engine: HashEngine) -> None:
    """Begin, challenge, discovery and proof say so."""
    rows, device = Rows(), Authenticator(ORIGIN)
    await enrol(engine, rows, device)
    question = passkey.challenge(KEYRING, REALM, rows)
    assert (passkey.is_offered(REALM), passkey.is_offered(OFF)) == (True, False)
    with pytest.raises(FactorKindUnavailable):
        passkey.begin(KEYRING, OFF, rows, email="ada@example.com", display_name="Ada")
    with pytest.raises(FactorKindUnavailable):
        passkey.challenge(KEYRING, OFF, rows)
    with pytest.raises(FactorKindUnavailable):
        passkey.discover(OFF)
    with pytest.raises(FactorKindUnavailable):
        await passkey.verify(KEYRING, engine, OFF, rows, question.payload, PasskeyAnswer("x"))


def test_without_origins_the_domain_itself_is_one() -> None:
    """The pages of https:// and the domain, and of no other."""
    assert passkey._party(REALM).origins == ("https://example.com",)
    named = realm_of(passkey_origins=["https://app.example.com"])
    assert passkey._party(named).origins == ("https://app.example.com",)


def test_a_new_passkey_is_named_by_its_device() -> None:
    """From the user agent, in the order in which they name each other; nothing of it is repeated."""
    iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"
    android = "Mozilla/5.0 (Linux; Android 15; Pixel 9)"
    assert passkey.name_for(iphone) == "Passkey (iPhone)"
    assert passkey.name_for(android) == "Passkey (Android)"
    assert passkey.name_for("curl/8") == passkey.name_for("") == "Passkey"


def test_the_door_takes_an_answer_of_16_kib() -> None:
    """Empty and longer ones are named; what is inside is judged as a code is."""
    with reading(sign_in_pb2.SecondFactor(passkey_assertion="x" * 16384)) as door:
        assert door.passkey_answer("passkey_assertion") == PasskeyAnswer("x" * 16384)
    for text in ("", "x" * 16385):
        request = account_pb2.SignInRequest(passkey_assertion={"credential_json": text})
        with pytest.raises(InvalidFields) as raised, reading(request) as door:
            door.passkey_answer("passkey_assertion.credential_json")
        assert [one.field for one in raised.value.violations] == ["passkey_assertion.credential_json"]
