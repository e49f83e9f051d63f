"""A support desk for tests: agents with their sessions, and the caller that they come through."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

from tests.integration.quick import add_caller, bearer
from tests.service import Metadata, Service, User, seed_of, tokens_in
from twofold.v1 import account_pb2, sign_in_pb2, support_pb2, support_pb2_grpc, two_factor_pb2
from twofold_server.crypto import otp
from twofold_server.domain.agents import Agents
from twofold_server.domain.callers import Role
from twofold_server.domain.values import EmailAddress

PASSWORD = "an agent's own long password"
REASON = "Called, and answered every question right."
DAY = 86400.0
_numbers = itertools.count(1)
Grant = tuple[str, Role, bool]


@dataclass
class Desk:
    """The desk of a server, through one caller: FRONTEND in `support` and SUPPORT in `default`."""

    service: Service
    metadata: Metadata
    stub: support_pb2_grpc.SupportServiceAsyncStub
    agents: Agents
    numbers: dict[str, str] = field(default_factory=dict)

    async def invite(self, address: str = "") -> User:
        """An agent who has chosen a password and signed in for the first time, with an authenticator app."""
        agent = User(address or f"agent{next(_numbers)}@desk.example.org", PASSWORD)
        invitation = await self.agents.add(EmailAddress.parse(agent.email))
        accounts = self.service.accounts
        activated = await accounts.ActivateAccount(
            account_pb2.ActivateAccountRequest(
                activation_token=invitation.activation_token, new_password=PASSWORD, client=self.service.client
            ),
            metadata=self.metadata,
        )
        agent.account_id = activated.account.account_id
        signed_in = await accounts.SignIn(
            account_pb2.SignInRequest(
                realm_id="support", email=agent.email, password=PASSWORD, client=self.service.client
            ),
            metadata=self.metadata,
        )
        owed = signed_in.enrollment_required
        begun = await self.service.two_factor.BeginEnrollment(
            two_factor_pb2.BeginEnrollmentRequest(
                owed_enrollment_token=owed.owed_enrollment_token,
                owed_enrollment_binding=owed.owed_enrollment_binding,
                totp=two_factor_pb2.TotpEnrollment(),
            ),
            metadata=self.metadata,
        )
        agent.seed = seed_of(begun.totp.secret)
        finished = await self.service.two_factor.FinishEnrollment(
            two_factor_pb2.FinishEnrollmentRequest(
                owed_enrollment_token=owed.owed_enrollment_token,
                owed_enrollment_binding=owed.owed_enrollment_binding,
                enrollment_token=begun.enrollment_token,
                totp_code=otp.totp_code(agent.seed, otp.step_at(self.service.clock())),
                client=self.service.client,
            ),
            metadata=self.metadata,
        )
        agent.take(finished.signed_in)
        return agent

    async def agent(self) -> User:
        """An agent of old, signed in just now."""
        agent = await self.invite()
        await self.service.app.pool.execute(
            "UPDATE accounts SET create_time = create_time - interval '2 days' WHERE account_id = $1::text::uuid",
            agent.account_id,
        )
        return agent

    async def sign_in(self, agent: User) -> User:
        """Sign an agent in anew, with a code of now; the clock has moved by 30 s at least since the last one."""
        response = await self.service.accounts.SignIn(
            account_pb2.SignInRequest(
                realm_id="support",
                email=agent.email,
                password=PASSWORD,
                second_factor=self.service.code(agent),
                client=self.service.client,
            ),
            metadata=self.metadata,
        )
        agent.take(response.signed_in)
        return agent

    async def wait(self, seconds: float, *agents: User) -> None:
        """Let time pass, and sign the agents in anew."""
        self.service.clock.advance(seconds)
        for agent in agents:
            await self.sign_in(agent)

    def as_(self, agent: User) -> Metadata:
        """Metadata of a call in the agent's session."""
        return (*self.metadata, *agent.metadata)

    async def open(self, agent: User, account_id: str, **fields: Any) -> support_pb2.Case:
        """Open a case; to reset two-factor unless an action is named."""
        if not {"correct_email", "correct_phone"} & set(fields):
            fields["reset_two_factor"] = support_pb2.ResetTwoFactor()
        request = support_pb2.OpenCaseRequest(
            **{"request_id": str(uuid4()), "account_id": account_id, "reason": REASON, "realm_id": "default", **fields}
        )
        response = await self.stub.OpenCase(request, metadata=self.as_(agent))
        return response.case

    async def approve(self, agent: User, case: support_pb2.Case) -> support_pb2.Case:
        """Approve it."""
        request = support_pb2.ApproveCaseRequest(realm_id=case.realm_id, case_id=case.case_id)
        return (await self.stub.ApproveCase(request, metadata=self.as_(agent))).case

    async def reject(self, agent: User, case: support_pb2.Case) -> support_pb2.Case:
        """Reject it."""
        request = support_pb2.RejectCaseRequest(realm_id=case.realm_id, case_id=case.case_id, reason=REASON)
        return (await self.stub.RejectCase(request, metadata=self.as_(agent))).case

    async def cancel(self, agent: User, case: support_pb2.Case) -> None:
        """Cancel it."""
        request = support_pb2.CancelCaseRequest(realm_id=case.realm_id, case_id=case.case_id)
        await self.stub.CancelCase(request, metadata=self.as_(agent))

    async def cancel_by_link(self, token: str) -> None:
        """Cancel it by the link of a notice, as a front end does."""
        await self.stub.CancelCase(support_pb2.CancelCaseRequest(case_token=token), metadata=self.service.metadata)

    async def confirm(self, token: str) -> None:
        """Confirm a new address or number, as a front end does."""
        await self.stub.ConfirmCorrection(
            support_pb2.ConfirmCorrectionRequest(correction_token=token), metadata=self.service.metadata
        )

    async def execute(self, agent: User, case: support_pb2.Case) -> support_pb2.ExecuteCaseResponse:
        """Execute it."""
        request = support_pb2.ExecuteCaseRequest(realm_id=case.realm_id, case_id=case.case_id)
        return await self.stub.ExecuteCase(request, metadata=self.as_(agent))

    async def case(self, agent: User, case: support_pb2.Case) -> support_pb2.Case:
        """The case as it is now."""
        listed = await self.stub.ListCases(
            support_pb2.ListCasesRequest(realm_id=case.realm_id, account_id=case.account_id), metadata=self.as_(agent)
        )
        (found,) = [each for each in listed.cases if each.case_id == case.case_id]
        return found

    async def lock(self, agent: User, account_id: str) -> support_pb2.FoundAccount:
        """Lock an account."""
        request = support_pb2.LockAccountRequest(realm_id="default", account_id=account_id, reason=REASON)
        return (await self.stub.LockAccount(request, metadata=self.as_(agent))).account

    async def unlock(self, agent: User, account_id: str) -> support_pb2.FoundAccount:
        """Unlock it."""
        request = support_pb2.UnlockAccountRequest(realm_id="default", account_id=account_id, reason=REASON)
        return (await self.stub.UnlockAccount(request, metadata=self.as_(agent))).account

    async def approved(self, opener: User, approver: User, account_id: str, **fields: Any) -> support_pb2.Case:
        """A case that was opened and approved, whose notices were delivered."""
        case = await self.open(opener, account_id, **fields)
        await self.service.mails()
        return await self.approve(approver, case)

    async def events(self, account_id: str) -> list[tuple[str, dict[str, Any]]]:
        """Kinds and details of an account's events, the oldest first."""
        rows = await self.service.app.pool.fetch(
            "SELECT kind, details FROM events WHERE account_id = $1::text::uuid ORDER BY event_id", account_id
        )
        return [(row["kind"], row["details"]) for row in rows]


async def open_desk(service: Service, *grants: Grant, name: str = "desk") -> Desk:
    """The desk of a server; with grants other than SUPPORT in `default` and FRONTEND in `support`, where named."""
    services = service.app.services
    keyring = services.signing_keys._keyring
    agents = Agents(service.app.pool, keyring, services.realms, service.clock)
    await agents.realm()
    chosen = grants or (("default", Role.SUPPORT, False), ("support", Role.FRONTEND, True))
    metadata = bearer(await add_caller(service.app, name, *chosen))
    stub = cast("support_pb2_grpc.SupportServiceAsyncStub", support_pb2_grpc.SupportServiceStub(service.channel))
    return Desk(service, metadata, stub, agents)


async def link_in_mail(service: Service, to: str) -> str:
    """The token of the newest link that was mailed to an address."""
    return tokens_in(await service.mails(to))[-1]


def link_in_text(text: str) -> str:
    """The token of a text message's link."""
    found = re.search(r"token=([A-Za-z0-9_-]{43})", text)
    assert found is not None
    return found[1]


def owing(response: account_pb2.SignInResponse) -> sign_in_pb2.EnrollmentRequired:
    """What a sign-in owes."""
    assert response.WhichOneof("outcome") == "enrollment_required", response
    return response.enrollment_required
