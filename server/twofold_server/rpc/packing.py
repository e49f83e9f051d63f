"""Rows and results as messages of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, two_factor_pb2
from twofold_server.crypto.blocklist import Advice
from twofold_server.domain.approvals import Request, State
from twofold_server.domain.challenges import Challenged, Started
from twofold_server.domain.checked_tokens import CheckedToken
from twofold_server.domain.deliveries import Delivery, DeliveryState, Refusal
from twofold_server.domain.factors import push
from twofold_server.domain.factors.backup_codes import BackupCodes
from twofold_server.domain.factors.passkey import Question
from twofold_server.domain.factors.totp import Material
from twofold_server.domain.owed_enrollments import EnrollmentOwed
from twofold_server.domain.passkey_sign_in import Asked
from twofold_server.domain.phone_numbers import VerifiedNumber
from twofold_server.domain.realm_settings import RESTRICTED_KINDS
from twofold_server.domain.records import AccountRow, DeviceRow, FactorRow, RevocationRow, SessionRow, SignInRow
from twofold_server.domain.sending import CodeSent
from twofold_server.domain.sessions import SignedIn, Tokens

KINDS: Final = {
    "totp": sign_in_pb2.FACTOR_KIND_TOTP,
    "backup_code": sign_in_pb2.FACTOR_KIND_BACKUP_CODE,
    "email": sign_in_pb2.FACTOR_KIND_EMAIL,
    "sms": sign_in_pb2.FACTOR_KIND_SMS,
    "passkey": sign_in_pb2.FACTOR_KIND_PASSKEY,
    "push": sign_in_pb2.FACTOR_KIND_PUSH,
}
APPROVAL_STATES: Final[dict[State, Any]] = {
    "open": two_factor_pb2.APPROVAL_STATE_OPEN,
    "approved": two_factor_pb2.APPROVAL_STATE_APPROVED,
    "denied": two_factor_pb2.APPROVAL_STATE_DENIED,
    "not_me": two_factor_pb2.APPROVAL_STATE_NOT_ME,
    "wrong_number": two_factor_pb2.APPROVAL_STATE_WRONG_NUMBER,
    "expired": two_factor_pb2.APPROVAL_STATE_EXPIRED,
    "withdrawn": two_factor_pb2.APPROVAL_STATE_WITHDRAWN,
}
_RESULTS: Final = {
    "signed_in": account_pb2.SIGN_IN_RESULT_SIGNED_IN,
    "challenged": account_pb2.SIGN_IN_RESULT_CHALLENGED,
    "enrollment_required": account_pb2.SIGN_IN_RESULT_ENROLLMENT_REQUIRED,
    "wrong_password": account_pb2.SIGN_IN_RESULT_WRONG_PASSWORD,
    "wrong_code": account_pb2.SIGN_IN_RESULT_WRONG_SECOND_FACTOR,
}
_DELIVERY_STATES: Final = {
    DeliveryState.WAITING: sign_in_pb2.DELIVERY_STATE_WAITING,
    DeliveryState.SENT: sign_in_pb2.DELIVERY_STATE_SENT,
    DeliveryState.EXPIRED: sign_in_pb2.DELIVERY_STATE_EXPIRED,
    DeliveryState.REFUSED: sign_in_pb2.DELIVERY_STATE_REFUSED,
}
_DELIVERY_REASONS: Final = {
    Refusal.OVER_BUDGET: sign_in_pb2.DELIVERY_REASON_OVER_BUDGET,
    Refusal.SPEND_CAP: sign_in_pb2.DELIVERY_REASON_SPEND_CAP,
    Refusal.COUNTRY_NOT_SERVED: sign_in_pb2.DELIVERY_REASON_COUNTRY_NOT_SERVED,
    Refusal.PROVIDER_REFUSED: sign_in_pb2.DELIVERY_REASON_PROVIDER_REFUSED,
    Refusal.ADDRESS_UNREACHABLE: sign_in_pb2.DELIVERY_REASON_ADDRESS_UNREACHABLE,
    Refusal.CHANNEL_NOT_CONFIGURED: sign_in_pb2.DELIVERY_REASON_CHANNEL_NOT_CONFIGURED,
    Refusal.FAILED: sign_in_pb2.DELIVERY_REASON_FAILED,
}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REVOCATIONS: Final = {
    "account": session_pb2.REVOCATION_KIND_ACCOUNT,
    "session": session_pb2.REVOCATION_KIND_SESSION,
    "api_key": session_pb2.REVOCATION_KIND_API_KEY,
    "signing_key": session_pb2.REVOCATION_KIND_SIGNING_KEY,
    "realm": session_pb2.REVOCATION_KIND_REALM,
}


def timestamp(time: datetime) -> Timestamp:
    """A time, which must be aware."""
    # A quarter of what FromDatetime takes, of which a session has five.
    since = time - _EPOCH
    return Timestamp(seconds=since.days * 86400 + since.seconds, nanos=since.microseconds * 1000)


def account(row: AccountRow, number: VerifiedNumber | None = None) -> account_pb2.Account:
    """An account, with its verified number where that is shown."""
    packed = account_pb2.Account(
        account_id=str(row.account_id),
        realm_id=row.realm_id,
        email=row.email,
        display_name=row.display_name,
        language_code=row.language_code,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
    )
    if number is not None:
        packed.phone_number = number.text
        packed.phone_number_verify_time.CopyFrom(timestamp(number.verify_time))
    return packed


def passkey_sign_in(asked: Asked) -> account_pb2.PasskeySignIn:
    """A sign-in by passkey under way."""
    return account_pb2.PasskeySignIn(
        passkey_token=asked.passkey_token,
        passkey_binding=asked.passkey_binding,
        expire_time=timestamp(asked.expire_time),
        request_options_json=asked.options_json,
    )


def delivery(told: Delivery) -> sign_in_pb2.Delivery:
    """What became of a message."""
    return sign_in_pb2.Delivery(
        state=_DELIVERY_STATES[told.state],
        reason=sign_in_pb2.DELIVERY_REASON_UNSPECIFIED if told.reason is None else _DELIVERY_REASONS[told.reason],
        resend_time=timestamp(told.resend_time),
    )


def advice(found: Advice | None) -> account_pb2.PasswordAdvice | None:
    """Advice on a password; none where the server was too busy to give it."""
    if found is None:
        return None
    return account_pb2.PasswordAdvice(score=found.score, warning=found.warning, suggestions=found.suggestions)


def session(row: SessionRow, current: UUID | None = None) -> sign_in_pb2.Session:
    """A session; `current` is the one that the call was made in."""
    packed = sign_in_pb2.Session(
        session_id=str(row.session_id),
        account_id=str(row.account_id),
        realm_id=row.realm_id,
        auth_time=timestamp(row.auth_time),
        aal=row.aal,
        amr=row.amr,
        create_time=timestamp(row.create_time),
        refresh_time=timestamp(row.rotated_time),
        expire_time=timestamp(row.expire_time),
        ip_address=row.ip_address,
        user_agent=row.user_agent,
        current=current == row.session_id,
        client_id=row.client_id,
    )
    if row.second_factor_time is not None:
        packed.second_factor_time.FromDatetime(row.second_factor_time)
    return packed


def token_session(token: CheckedToken) -> sign_in_pb2.Session:
    """A session, as its token shows it: what only the row knows is left out."""
    claims = token.claims
    packed = sign_in_pb2.Session(
        session_id=token.session_key,
        account_id=token.account_key,
        realm_id=token.realm_id,
        auth_time=timestamp(claims.auth_time),
        aal=claims.assurance,
        amr=claims.methods,
        current=True,
        client_id=claims.client_id,
    )
    if claims.second_factor_time is not None:
        packed.second_factor_time.FromDatetime(claims.second_factor_time)
    return packed


def tokens(made: Tokens) -> sign_in_pb2.SessionTokens:
    """The tokens of a session."""
    return sign_in_pb2.SessionTokens(
        access_token=made.access_token,
        access_token_expire_time=timestamp(made.access_token_expire_time),
        refresh_token=made.refresh_token,
    )


def signed_in(result: SignedIn) -> sign_in_pb2.SignedIn:
    """A finished sign-in."""
    return sign_in_pb2.SignedIn(
        session=session(result.session, result.session.session_id),
        tokens=tokens(result.tokens),
        device_token=result.device_token,
        enrollment_advised=result.enrollment_advised,
    )


def enrollment_required(result: EnrollmentOwed) -> sign_in_pb2.EnrollmentRequired:
    """A second factor that is to be set up."""
    return sign_in_pb2.EnrollmentRequired(
        owed_enrollment_token=result.owed_enrollment_token,
        owed_enrollment_binding=result.owed_enrollment_binding,
        expire_time=timestamp(result.expire_time),
        offered_kinds=offered_kinds(result.kinds),
        support_code_required=result.support_code_required,
    )


def offered_kinds(kinds: Sequence[str]) -> list[sign_in_pb2.OfferedKind]:
    """The kinds of second factor that may be enrolled."""
    return [sign_in_pb2.OfferedKind(kind=KINDS[kind], restricted=kind in RESTRICTED_KINDS) for kind in kinds]


def challenge(result: Challenged) -> sign_in_pb2.SecondFactorChallenge:
    """A second factor that is owed."""
    return sign_in_pb2.SecondFactorChallenge(
        challenge_token=result.challenge_token,
        challenge_binding=result.challenge_binding,
        expire_time=timestamp(result.expire_time),
        kinds=[KINDS[kind] for kind in result.kinds],
    )


def material(found: Material | CodeSent | Question | push.Material) -> dict[str, Any]:
    """What an enrolment needs, under the name of its arm."""
    if isinstance(found, push.Material):
        phone = two_factor_pb2.PushEnrollmentMaterial(
            pairing_code=found.pairing_code, pairing_url=found.pairing_url, qr_code_png=found.qr_code_png
        )
        return {"push": phone}
    if isinstance(found, Question):
        return {"passkey": two_factor_pb2.PasskeyEnrollmentMaterial(creation_options_json=found.options_json)}
    if isinstance(found, Material):
        totp = two_factor_pb2.TotpEnrollmentMaterial(
            otpauth_url=found.otpauth_url, qr_code_png=found.qr_code_png, secret=found.secret
        )
        return {"totp": totp}
    kind = two_factor_pb2.SmsEnrollmentMaterial if found.kind == "sms" else two_factor_pb2.EmailEnrollmentMaterial
    sent = kind(destination=found.destination, delivery=delivery(found.delivery))
    if isinstance(sent, two_factor_pb2.SmsEnrollmentMaterial):
        sent.restricted = True
    return {found.kind: sent}


def started(found: Started) -> two_factor_pb2.StartChallengeResponse:
    """A challenge whose kind is picked."""
    packed = two_factor_pb2.StartChallengeResponse(kind=KINDS[found.kind], expire_time=timestamp(found.expire_time))
    if found.sent is not None:
        packed.destination = found.sent.destination
        packed.code_expire_time.CopyFrom(timestamp(found.sent.expire_time))
        packed.delivery.CopyFrom(delivery(found.sent.delivery))
    if found.question is not None:
        packed.passkey.request_options_json = found.question.options_json
    return packed


def device(row: DeviceRow, current: UUID | None) -> two_factor_pb2.Device:
    """A device; `current` is that of the session that the call was made in."""
    packed = two_factor_pb2.Device(
        device_id=str(row.device_id),
        create_time=timestamp(row.create_time),
        last_use_time=timestamp(row.last_use_time),
        ip_address=row.ip_address,
        user_agent=row.user_agent,
        current=current == row.device_id,
    )
    if row.trusted_until is not None:
        packed.trust_expire_time.CopyFrom(timestamp(row.trusted_until))
    return packed


def factor(row: FactorRow) -> two_factor_pb2.Factor:
    """A factor."""
    packed = two_factor_pb2.Factor(
        factor_id=str(row.factor_id),
        kind=KINDS[row.kind],
        name=row.name,
        preferred=row.preferred,
        create_time=timestamp(row.create_time),
    )
    if row.last_use_time is not None:
        packed.last_use_time.FromDatetime(row.last_use_time)
    return packed


def approval_request(request: Request) -> two_factor_pb2.ApprovalRequest:
    """Something that a phone is asked to approve."""
    return two_factor_pb2.ApprovalRequest(
        request_id=str(request.request_id),
        realm_display_name=request.realm_name,
        place=request.place,
        browser=request.browser,
        ip_address=request.ip_address,
        digits=request.number_length,
        step_up=request.step_up,
        create_time=timestamp(request.create_time),
        expire_time=timestamp(request.expire_time),
    )


def backup_codes(made: BackupCodes) -> two_factor_pb2.BackupCodes:
    """A new set of backup codes."""
    return two_factor_pb2.BackupCodes(codes=made.codes, text_file=made.text_file, file_name=made.file_name)


def sign_in(row: SignInRow) -> account_pb2.SignIn:
    """An attempt to sign in."""
    personal = row.personal or {}
    return account_pb2.SignIn(
        sign_in_id=str(row.event_id),
        create_time=timestamp(row.create_time),
        result=_RESULTS[row.kind],
        two_factor_verified=row.details.get("two_factor_verified", False),
        factor_kind=KINDS.get(row.details.get("factor_kind", ""), sign_in_pb2.FACTOR_KIND_UNSPECIFIED),
        session_id=row.details.get("session_id", ""),
        ip_address=personal.get("ip_address", ""),
        user_agent=personal.get("user_agent", ""),
        known_device=row.details.get("known_device", False),
        client_id=row.client_id,
    )


def revocation(row: RevocationRow) -> session_pb2.Revocation:
    """A revocation."""
    return session_pb2.Revocation(
        revocation_id=row.revocation_id,
        realm_id=row.realm_id,
        kind=_REVOCATIONS[row.kind],
        subject=row.subject,
        epoch=row.epoch,
        expire_time=timestamp(row.expire_time),
    )
