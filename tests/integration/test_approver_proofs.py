"""What a phone proves itself with: each forgery, replay and misuse of a proof, a signature or a pairing code."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.integration.phones import asked, begin_pairing, finish_pairing, gateway, pair, shown
from tests.service import Service, User, refused
from twofold import Approver, Client, TwofoldError
from twofold.v1 import sign_in_pb2, two_factor_pb2

Claims = dict[str, Any]


@pytest.fixture
async def client(service: Service) -> AsyncIterator[Client]:
    """Through which the phones of a test call."""
    async with gateway(service) as opened:
        yield opened


@pytest.fixture
async def user(service: Service) -> User:
    """An account with a session and no factor yet."""
    return await service.signed_in_user()


@pytest.fixture
async def phone(service: Service, client: Client, user: User) -> Approver:
    """The user's phone."""
    return await pair(service, client, user)


def encoded(value: object) -> str:
    """A segment of a JWT."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(phone: Approver, headers: Claims, claimed: Claims, signer: Approver | None = None) -> str:
    """A proof with something changed in header or claims, and signed anew."""
    header, claims = (
        json.loads(base64.urlsafe_b64decode(part + "==")) for part in phone.proof("WatchApprovals").split(".")[:2]
    )
    claims["iat"] += claimed.get("age", 0)
    header, claims = (
        {name: value for name, value in (old | new).items() if value is not None and name != "age"}
        for old, new in ((header, headers), (claims, claimed))
    )
    signed = f"{encoded(header)}.{encoded(claims)}"
    return f"{signed}.{encoded((signer or phone)._key.sign(signed.encode()))}"


async def watch(service: Service, *proofs: str) -> None:
    """Open a stream with these proofs, and close it."""
    stream = service.two_factor.WatchApprovals(
        two_factor_pb2.WatchApprovalsRequest(),
        metadata=(*service.metadata, *(("twofold-approver", proof) for proof in proofs)),
    )
    await stream.read()
    stream.cancel()


STRANGER = "01890a5d-ac96-774b-bcce-b302099a8057"
# By name: what is changed in the header, and in the claims; None takes it out, and `age` is added to `iat`.
CHANGES: dict[str, tuple[Claims, Claims]] = {
    "none": ({"alg": "none"}, {}),
    "symmetric": ({"alg": "HS256"}, {}),
    "the other algorithm": ({"alg": "Ed25519"}, {}),
    "no type": ({"typ": None}, {}),
    "another type": ({"typ": "at+jwt"}, {}),
    "another kid": ({"kid": STRANGER}, {}),
    "an unknown approver": ({"kid": STRANGER}, {"sub": STRANGER}),
    "no id": ({"kid": "x"}, {"sub": "x"}),
    "an id in capitals": ({"kid": STRANGER.upper()}, {"sub": STRANGER.upper()}),
    "a key by URL": ({"jku": "https://evil.example/keys"}, {}),
    "a certificate by URL": ({"x5u": "https://evil.example/x"}, {}),
    "a key of its own": ({"jwk": {"kty": "EC"}}, {}),
    "critical": ({"crit": ["exp"]}, {}),
    "another method": ({}, {"method": "/twofold.v1.TwoFactorService/AnswerApproval"}),
    "no method": ({}, {"method": None}),
    "another realm": ({}, {"realm": "elsewhere"}),
    "a claim more": ({}, {"exp": 2**31}),
    "too old": ({}, {"age": -90}),
    "from the future": ({}, {"age": 31}),
    "a broken time": ({}, {"age": 0.5}),
    "a time as text": ({}, {"iat": "1773489600"}),
    "a time that is true": ({}, {"iat": True}),
    "a time beyond time": ({}, {"iat": 10**18}),
    "no jti": ({}, {"jti": ""}),
    "a short jti": ({}, {"jti": "x" * 15}),
    "a long jti": ({}, {"jti": "x" * 65}),
    "a jti with a line break": ({}, {"jti": "x" * 20 + "\n"}),
    "a number for a jti": ({}, {"jti": 10**20}),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_forged_proof_is_refused(service: Service, phone: Approver, change: str) -> None:
    """Whatever header or claims say beyond the documented, the phone's own signature does not help."""
    with refused("APPROVER_INVALID"):
        await watch(service, forged(phone, *CHANGES[change]))


@pytest.mark.parametrize("seconds", [0, 89, -30])
async def test_clocks_may_differ_by_30_s(service: Service, phone: Approver, seconds: int) -> None:
    """A proof is good for 60 s and a clock's 30 s, either way."""
    proof = phone.proof("WatchApprovals")
    service.clock.advance(seconds)
    await watch(service, proof)


async def test_a_proof_is_good_once(service: Service, phone: Approver) -> None:
    """A replay is refused for as long as the proof would be good; after that its age refuses it."""
    proof = phone.proof("WatchApprovals")
    await watch(service, proof)
    for seconds in (0, 59, 30, 600):
        service.clock.advance(seconds)
        with refused("APPROVER_INVALID"):
            await watch(service, proof)


async def test_what_is_no_proof_is_refused(service: Service, phone: Approver, user: User) -> None:
    """Nothing, rubbish, cut, unsigned, doubled, too long, a user's token: the same reason for all."""
    proof = phone.proof("WatchApprovals")
    head, claims, signature = proof.split(".")
    for wrong in (
        "", "x", "..", "a.b.c", proof[:-1], f"{head}.{claims}.", f"{head}.{claims}.{signature[::-1]}", "x" * 4000,
        f"{head}.{encoded(b'[]')}.{signature}", f"{encoded(b'[' * 1500)}.{claims}.{signature}",
        f"{encoded(b'null')}.{claims}.{signature}", user.tokens.access_token, proof + "=",
    ):  # fmt: skip
        with refused("APPROVER_INVALID"):
            await watch(service, wrong)
    for none in ((), (proof, proof)):
        with refused("APPROVER_INVALID"):
            await watch(service, *none)
    await watch(service, proof)


async def test_claims_that_stand_twice_are_refused(service: Service, phone: Approver) -> None:
    """Of two values for one claim nobody chooses."""
    header, claims = phone.proof("WatchApprovals").split(".")[:2]
    text = base64.urlsafe_b64decode(claims + "==").decode()
    signed = f"{header}.{encoded((text[:-1] + ',' + text[1:]).encode())}"
    with refused("APPROVER_INVALID"):
        await watch(service, f"{signed}.{encoded(phone._key.sign(signed.encode()))}")


async def test_another_phones_key_is_refused(service: Service, client: Client, phone: Approver) -> None:
    """A proof for one approver by the key of another, and an answer signed by another."""
    other = await service.signed_in_user()
    stranger = await pair(service, client, other)
    with refused("APPROVER_INVALID"):
        await watch(service, forged(phone, {}, {}, stranger))


async def test_an_answer_must_be_signed_by_the_phone_itself(
    service: Service, client: Client, phone: Approver, user: User
) -> None:
    """A signature by another approver, or over another decision, number or request, is refused, and burns nothing."""
    second = await pair(service, client, user)
    _, number, request_id = await asked(service, user, phone)

    def signed(key: Approver, decision: str, digits: str) -> bytes:
        identity = phone.identity
        lines = ("twofold-answer/1", identity.realm_id, identity.approver_id, request_id, decision, digits)
        return key._key.sign("\n".join(lines).encode())

    for signature in (
        signed(second, "APPROVE", number), signed(phone, "DENY", ""), signed(phone, "APPROVE", "000000"), b"\x00" * 64,
        b"\xff" * 64,
    ):  # fmt: skip
        with refused("APPROVER_INVALID", "signature"):
            await service.two_factor.AnswerApproval(
                two_factor_pb2.AnswerApprovalRequest(
                    request_id=request_id,
                    decision=two_factor_pb2.APPROVAL_DECISION_APPROVE,
                    number=number,
                    signature=signature,
                ),
                metadata=(*service.metadata, ("twofold-approver", phone.proof("AnswerApproval"))),
            )
    await phone.approve(request_id, number)


async def test_a_malformed_answer_names_its_fields(service: Service, phone: Approver) -> None:
    """Every bad field at once; a number where none belongs is one."""
    with refused("INVALID_FIELDS", "request_id", "decision", "signature"):
        await service.two_factor.AnswerApproval(
            two_factor_pb2.AnswerApprovalRequest(),
            metadata=(*service.metadata, ("twofold-approver", phone.proof("AnswerApproval"))),
        )
    for decision, number in ((two_factor_pb2.APPROVAL_DECISION_DENY, "123456"), (1, ""), (1, "12"), (1, "1234567")):
        named = ("signature",) if number == "12" else ("number",)
        with refused("INVALID_FIELDS", *named):
            await service.two_factor.AnswerApproval(
                two_factor_pb2.AnswerApprovalRequest(request_id="x", decision=decision, number=number),  # type: ignore[arg-type]
                metadata=(*service.metadata, ("twofold-approver", phone.proof("AnswerApproval"))),
            )


async def test_a_phone_may_nothing_before_the_enrolment_is_finished(
    service: Service, client: Client, user: User
) -> None:
    """Whoever used the code sees nothing before the user has finished, with the password, in their session."""
    begun = await begin_pairing(service, user)
    phone = await Approver.pair(client, begun.push.pairing_code, clock=lambda: service.clock().timestamp())
    with pytest.raises(TwofoldError) as failed:
        await shown(phone)
    assert failed.value.reason == "APPROVER_INVALID"
    await finish_pairing(service, user, begun)
    assert await shown(phone) == []


async def test_an_enrolment_is_finished_only_once_a_phone_has_paired(
    service: Service, client: Client, user: User
) -> None:
    """Before that APPROVER_NOT_PAIRED, which burns neither code nor enrolment; a TOTP code finishes no pairing."""
    begun = await begin_pairing(service, user)
    with refused("APPROVER_NOT_PAIRED"):
        await finish_pairing(service, user, begun)
    with refused("INVALID_FIELDS", "totp_code"):
        await service.two_factor.FinishEnrollment(
            two_factor_pb2.FinishEnrollmentRequest(
                enrollment_token=begun.enrollment_token,
                totp_code="123456",
                reauthentication=user.reauthentication,
                client=service.client,
            ),
            metadata=service.with_session(user),
        )
    await Approver.pair(client, begun.push.pairing_code.lower().replace("-", " "))
    user.password, right = "wrong horse battery 9", user.password
    with refused("INVALID_CREDENTIALS"):
        await finish_pairing(service, user, begun)
    user.password = right
    finished = await finish_pairing(service, user, begun)
    assert finished.factor.kind == sign_in_pb2.FACTOR_KIND_PUSH


async def test_a_pairing_code_is_good_once_and_for_ten_minutes(service: Service, client: Client, user: User) -> None:
    """A used, a replaced, an expired code, and one whose enrolment is finished or over: TICKET_NOT_FOUND."""

    async def not_found(code: str) -> None:
        with pytest.raises(TwofoldError) as failed:
            await Approver.pair(client, code)
        assert failed.value.reason == "TICKET_NOT_FOUND"

    used = await begin_pairing(service, user)
    await Approver.pair(client, used.push.pairing_code)
    await not_found(used.push.pairing_code)

    replaced = await begin_pairing(service, user)
    expired = await begin_pairing(service, user)
    await not_found(replaced.push.pairing_code)
    service.clock.advance(600)
    await not_found(expired.push.pairing_code)
    await not_found("0000-" * 6 + "0000")


async def test_a_key_that_is_none_is_refused(service: Service, user: User) -> None:
    """Other curves, RSA, a compressed point, rubbish and what follows a key are INVALID_FIELDS."""
    begun = await begin_pairing(service, user)
    der, spki = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    p256 = ec.generate_private_key(ec.SECP256R1()).public_key()
    good = p256.public_bytes(der, spki)
    compressed = p256.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    keys = (
        b"", b"x", good[:-1], good + b"\x00", b"\x30" * 300, compressed,
        ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(der, spki),
        rsa.generate_private_key(65537, 2048).public_key().public_bytes(der, spki),
    )  # fmt: skip
    for key in keys:
        with refused("INVALID_FIELDS", "public_key"):
            await service.two_factor.PairApprover(
                two_factor_pb2.PairApproverRequest(
                    pairing_code=begun.push.pairing_code, public_key=key, signature=b"\x00" * 64
                ),
                metadata=service.metadata,
            )
    with refused("APPROVER_INVALID", "signature"):
        await service.two_factor.PairApprover(
            two_factor_pb2.PairApproverRequest(
                pairing_code=begun.push.pairing_code, public_key=good, signature=b"\x01" * 64
            ),
            metadata=service.metadata,
        )
