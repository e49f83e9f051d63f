"""What a servicer is told about the call that it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from twofold_server.domain.callers import Caller
from twofold_server.domain.errors import ApproverInvalid, RealmNotFound, SessionRequired
from twofold_server.domain.values import RealmId

if TYPE_CHECKING:
    from twofold_server.domain.active_sessions import ActiveSession
    from twofold_server.domain.approvers import ActiveApprover
    from twofold_server.domain.checked_tokens import CheckedToken


@dataclass(frozen=True, slots=True)
class ClientRule:
    """What is made of the ClientContext of a request.

    `stated`: the caller is believed; `address_required`: it must then name an address; `global_only`: a global one.
    """

    stated: bool
    address_required: bool
    global_only: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the boundary let through.

    `realms` are those in which the caller has a role that the method takes; `deadline` is the time by which the work
    is cancelled; `session` is None where the method takes none or a ticket stands for it, and where the token was
    `checked` from memory instead; `approver` is the phone that has proven itself, where the method takes one.
    """

    request_id: str
    method: str
    caller: Caller
    realms: tuple[RealmId, ...]
    named_realm: RealmId | None = field(repr=False)
    session: ActiveSession | None
    checked: CheckedToken | None
    deadline: datetime
    client_rule: ClientRule
    approver: ActiveApprover | None = None

    @property
    def realm(self) -> RealmId:
        """The realm that the request names, the caller's only one, or the session's. Raises RealmNotFound."""
        if self.named_realm is not None:
            return self.named_realm
        if self.session is not None:
            return self.session.realm_id
        if self.approver is not None:
            return self.approver.realm_id
        raise RealmNotFound

    @property
    def user(self) -> ActiveSession:
        """The end user's session. Raises SessionRequired."""
        if self.session is None:
            raise SessionRequired
        return self.session

    @property
    def phone(self) -> ActiveApprover:
        """The paired phone that the call is made for. Raises ApproverInvalid."""
        if self.approver is None:
            raise ApproverInvalid
        return self.approver

    @property
    def token(self) -> CheckedToken:
        """The token that was checked from memory, for a method that takes any client's. Raises SessionRequired."""
        if self.checked is None:
            raise SessionRequired
        return self.checked

    @property
    def scope(self) -> str:
        """Names a list of this method, realm and user, for page tokens."""
        account = self.session.account_id if self.session is not None else ""
        return f"{self.method}|{self.realm}|{account}"
