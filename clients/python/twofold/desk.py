"""The support desk in a terminal: an agent's session kept in a file, and what is done in it, told in lines of text."""

from __future__ import annotations

import json
import os
import stat
import uuid
from typing import TYPE_CHECKING, Any

from twofold.errors import SessionExpired
from twofold.v1 import account_pb2, session_pb2, sign_in_pb2, support_pb2, two_factor_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from twofold.sync_client import SyncClient

REALM = "support"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# What a person at a terminal states as theirs, where the caller is believed at all.
_CLIENT = sign_in_pb2.ClientContext(ip_address="127.0.0.1", user_agent="twofold-support")


class Desk:
    """The desk of one realm, worked by the agent whose session is in a file of mode 0600."""

    def __init__(self, client: SyncClient, file: Path, realm: str = "") -> None:
        """`realm`: of the users; empty where the calling service has the role SUPPORT in one alone."""
        self._client = client
        self._file = file
        self._realm = realm

    def activate(self, token: str, password: str) -> str:
        """Make the agent's account with the token of `agent add`; its address. Raises TwofoldError."""
        activated = self._client.accounts.ActivateAccount(
            account_pb2.ActivateAccountRequest(activation_token=token, new_password=password, client=_CLIENT)
        )
        return activated.account.email

    def sign_in(self, email: str, password: str, ask: Callable[[str], str], tell: Callable[[str], None]) -> None:
        """Sign in and keep the session; the first time an authenticator app is set up. `ask` gets a code.

        Raises TwofoldError, OSError, ValueError (the account's factors don't fit a terminal).
        """
        answer = self._client.accounts.SignIn(
            account_pb2.SignInRequest(realm_id=REALM, email=email, password=password, client=_CLIENT)
        )
        match answer.WhichOneof("outcome"):
            case "challenge":
                signed_in = self._challenged(answer.challenge, ask)
            case "enrollment_required":
                signed_in = self._enrolled(answer.enrollment_required, ask, tell)
            case _:
                signed_in = answer.signed_in
        self._keep(signed_in.tokens)

    def _challenged(
        self, challenge: sign_in_pb2.SecondFactorChallenge, ask: Callable[[str], str]
    ) -> sign_in_pb2.SignedIn:
        kinds = set(challenge.kinds)
        if not kinds & {sign_in_pb2.FACTOR_KIND_TOTP, sign_in_pb2.FACTOR_KIND_BACKUP_CODE}:
            raise ValueError("a terminal takes codes of an authenticator app and backup codes, and you have neither")
        code = ask("Code of your authenticator app, or a backup code").strip()
        factor = (
            sign_in_pb2.SecondFactor(totp_code=code)
            if len(code.replace(" ", "")) <= 8
            else sign_in_pb2.SecondFactor(backup_code=code)
        )
        return self._client.two_factor.FinishChallenge(
            two_factor_pb2.FinishChallengeRequest(
                challenge_token=challenge.challenge_token,
                challenge_binding=challenge.challenge_binding,
                second_factor=factor,
                client=_CLIENT,
            )
        ).signed_in

    def _enrolled(
        self, owed: sign_in_pb2.EnrollmentRequired, ask: Callable[[str], str], tell: Callable[[str], None]
    ) -> sign_in_pb2.SignedIn:
        step: dict[str, Any] = {
            "owed_enrollment_token": owed.owed_enrollment_token,
            "owed_enrollment_binding": owed.owed_enrollment_binding,
        }
        code = ask("Code that you were given, since your second factor was reset") if owed.support_code_required else ""
        begun = self._client.two_factor.BeginEnrollment(
            two_factor_pb2.BeginEnrollmentRequest(totp=two_factor_pb2.TotpEnrollment(), support_code=code, **step)
        )
        tell(f"Set up your authenticator app with this key: {begun.totp.secret}")
        finished = self._client.two_factor.FinishEnrollment(
            two_factor_pb2.FinishEnrollmentRequest(
                enrollment_token=begun.enrollment_token,
                totp_code=ask("Code that the app shows now").strip(),
                client=_CLIENT,
                **step,
            )
        )
        for backup_code in finished.backup_codes.codes:
            tell(f"Backup code, good once: {backup_code}")
        return finished.signed_in

    def sign_out(self) -> None:
        """End the session, and forget it. Raises TwofoldError, OSError, ValueError."""
        self._client.sessions.SignOut(session_pb2.SignOutRequest(refresh_token=self._kept()["refresh_token"]))
        self._file.unlink()

    def find(self, **by: str) -> Iterator[str]:
        """Find accounts, `by` email, account_id or phone_number; one line for each."""
        request = support_pb2.FindAccountsRequest(realm_id=self._realm, **by)
        for found in self._call(self._client.support.FindAccounts, request).accounts:
            yield _account(found)

    def open(
        self, account_id: str, action: str, value: str, reason: str, evidence: Sequence[str], *, unreachable: bool
    ) -> str:
        """Open a case; `action`: `reset-two-factor`, or `correct-email` or `correct-phone` with a `value`."""
        request = support_pb2.OpenCaseRequest(
            request_id=str(uuid.uuid4()),
            realm_id=self._realm,
            account_id=account_id,
            reason=reason,
            evidence=evidence,
            owner_unreachable=unreachable,
        )
        match action:
            case "correct-email":
                request.correct_email.email = value
            case "correct-phone":
                request.correct_phone.phone_number = value
            case _:
                request.reset_two_factor.SetInParent()
        return _case(self._call(self._client.support.OpenCase, request).case)

    def approve(self, case_id: str) -> str:
        """Approve a case of another agent's."""
        request = support_pb2.ApproveCaseRequest(realm_id=self._realm, case_id=case_id)
        return _case(self._call(self._client.support.ApproveCase, request).case)

    def reject(self, case_id: str, reason: str) -> str:
        """Refuse a case."""
        request = support_pb2.RejectCaseRequest(realm_id=self._realm, case_id=case_id, reason=reason)
        return _case(self._call(self._client.support.RejectCase, request).case)

    def cancel(self, case_id: str) -> str:
        """End a case."""
        self._call(
            self._client.support.CancelCase, support_pb2.CancelCaseRequest(realm_id=self._realm, case_id=case_id)
        )
        return f"{case_id}  cancelled"

    def execute(self, case_id: str) -> Iterator[str]:
        """Execute a case; after a reset the second line has the code for the user."""
        request = support_pb2.ExecuteCaseRequest(realm_id=self._realm, case_id=case_id)
        done = self._call(self._client.support.ExecuteCase, request)
        yield _case(done.case)
        if done.support_code:
            yield f"code for the user, until {_time(done.support_code_expire_time)}: {done.support_code}"

    def cases(self, account_id: str, *, everything: bool) -> Iterator[str]:
        """The newest cases, those that are open or approved unless all are wanted; one line for each."""
        request = support_pb2.ListCasesRequest(
            realm_id=self._realm, account_id=account_id, open_only=not everything, page_size=100
        )
        for found in self._call(self._client.support.ListCases, request).cases:
            yield _case(found)

    def deliveries(self, **of: str) -> Iterator[str]:
        """The newest messages `of` an account_id, email or phone_number; one line for each."""
        request = support_pb2.ListDeliveriesRequest(realm_id=self._realm, page_size=100, **of)
        for found in self._call(self._client.support.ListDeliveries, request).deliveries:
            words = [_time(found.create_time), found.kind]
            words.append(_word(support_pb2.DeliveryChannel.Name(found.channel), "DELIVERY_CHANNEL_"))
            words.append(_word(sign_in_pb2.DeliveryState.Name(found.state), "DELIVERY_STATE_"))
            if found.reason:
                words.append(_word(sign_in_pb2.DeliveryReason.Name(found.reason), "DELIVERY_REASON_"))
            yield "  ".join(words)

    def lock(self, account_id: str, reason: str) -> str:
        """Lock an account."""
        request = support_pb2.LockAccountRequest(realm_id=self._realm, account_id=account_id, reason=reason)
        return _account(self._call(self._client.support.LockAccount, request).account)

    def unlock(self, account_id: str, reason: str) -> str:
        """Unlock an account."""
        request = support_pb2.UnlockAccountRequest(realm_id=self._realm, account_id=account_id, reason=reason)
        return _account(self._call(self._client.support.UnlockAccount, request).account)

    def revive(self, email: str) -> str:
        """Send the links of an address's sign-ups again."""
        request = support_pb2.ReviveActivationRequest(realm_id=self._realm, email=email)
        revived = self._call(self._client.support.ReviveActivation, request)
        return f"sent again, good until {_time(revived.expire_time)}"

    def _call(self, method: Any, request: Any) -> Any:  # noqa: ANN401 (as many types as methods)
        tokens = self._kept()
        try:
            return method(request, session=tokens["access_token"])
        except SessionExpired:
            refreshed = self._client.sessions.RefreshSession(
                session_pb2.RefreshSessionRequest(refresh_token=tokens["refresh_token"])
            )
            self._keep(refreshed.tokens)
            return method(request, session=refreshed.tokens.access_token)

    def _keep(self, tokens: sign_in_pb2.SessionTokens) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made with its mode, and moved into place whole: no moment in which others could read it, or half of it.
        new = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
            json.dump({"access_token": tokens.access_token, "refresh_token": tokens.refresh_token}, opened)
        new.replace(self._file)

    def _kept(self) -> dict[str, str]:
        try:
            with self._file.open(encoding="utf-8") as opened:
                if os.fstat(opened.fileno()).st_mode & _OTHERS:
                    raise ValueError(f"{self._file} can be read by others: remove it, and sign in again")
                kept: dict[str, str] = json.load(opened)
        except FileNotFoundError:
            raise ValueError("nobody is signed in: sign in first") from None
        return kept


def _account(found: support_pb2.FoundAccount) -> str:
    kinds = ",".join(_word(sign_in_pb2.FactorKind.Name(kind), "FACTOR_KIND_") for kind in found.factor_kinds)
    words = [found.account_id, found.masked_email, found.masked_phone_number or "no number"]
    words += [_word(support_pb2.AccountState.Name(found.state), "ACCOUNT_STATE_"), kinds or "no second factor"]
    return "  ".join([*words, *([f"case {found.open_case_id}"] if found.open_case_id else [])])


def _case(found: support_pb2.Case) -> str:
    action = found.WhichOneof("action") or ""
    value = found.correct_email.email or found.correct_phone.phone_number
    words = [found.case_id, _word(support_pb2.CaseState.Name(found.state), "CASE_STATE_"), action.replace("_", "-")]
    words += [value] if value else []
    words.append(f"account {found.account_id}")
    if found.HasField("wait_end_time"):
        words.append(f"from {_time(found.wait_end_time)}")
    return "  ".join([*words, " ".join(found.reason.split()), *found.evidence])


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", "-")


def _time(time: Any) -> str:  # noqa: ANN401 (a Timestamp)
    return f"{time.ToDatetime():%Y-%m-%d %H:%M:%S}Z"
