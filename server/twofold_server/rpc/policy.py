"""What the contract says about a method, worked out once at start-up."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from twofold.v1 import access_pb2
from twofold_server.domain.callers import Role

_ROLES: Final = {
    access_pb2.CALLER_ROLE_FRONTEND: Role.FRONTEND,
    access_pb2.CALLER_ROLE_VERIFIER: Role.VERIFIER,
    access_pb2.CALLER_ROLE_SUPPORT: Role.SUPPORT,
    access_pb2.CALLER_ROLE_ADMIN: Role.ADMIN,
}
# What a session can meet.
_OF_SESSION: Final = (
    access_pb2.SESSION_REQUIREMENT_ANY,
    access_pb2.SESSION_REQUIREMENT_RECENT_PASSWORD,
    access_pb2.SESSION_REQUIREMENT_RECENT_TWO_FACTOR,
    access_pb2.SESSION_REQUIREMENT_AGENT,
)
# Named like a ticket's: a place in a list, and what a push service knows a phone by.
_NO_TICKETS: Final = frozenset({"page_token", "wake_up_token", "enrollment_token"})


class ContractBroken(Exception):
    """A method of the contract can't be served as it stands; the server must not start."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A method: how it is read, and who may call it.

    `requirements`: those that a session can meet; `without_session`: nothing need be proven; `tickets`: the fields of
    the request any of which may stand for a session; `approver`: a paired phone's proof is demanded; `agent`: the
    session is that of an agent, and the caller needs the role SUPPORT in the realm that is worked on; `takes_client`:
    the request may state the end user's side.
    """

    path: str
    request_descriptor: Descriptor
    parse: Callable[[bytes], Message]
    roles: frozenset[Role]
    role_names: str
    requirements: tuple[int, ...]
    without_session: bool
    tickets: tuple[str, ...]
    approver: bool
    agent: bool
    any_client: bool
    takes_credential: bool
    takes_client: bool
    names_realm: bool


def path_of(method: MethodDescriptor) -> str:
    """A method's name on the wire."""
    return f"/{method.containing_service.full_name}/{method.name}"


@functools.cache
def policy_of(method: MethodDescriptor) -> Policy:
    """Read a method's access option. Raises ContractBroken where it has none, or one that can't be enforced."""
    options: Any = method.GetOptions()
    if not options.HasExtension(access_pb2.access):
        raise ContractBroken(f"{method.full_name} has no access option, so nobody may call it")
    access: access_pb2.Access = options.Extensions[access_pb2.access]
    callers, proofs = set(access.caller), set(access.session)
    if not callers or not callers <= {access_pb2.CALLER_ROLE_ANY, *_ROLES}:
        raise ContractBroken(f"{method.full_name} names no caller's role, or one that this server does not know")
    approver = access_pb2.SESSION_REQUIREMENT_APPROVER in proofs
    if approver and (len(proofs) > 1 or access.any_client or access.takes_credential):
        raise ContractBroken(f"{method.full_name} takes an approver's proof, beside which nothing else counts")
    known = {
        access_pb2.SESSION_REQUIREMENT_APPROVER,
        access_pb2.SESSION_REQUIREMENT_NONE,
        access_pb2.SESSION_REQUIREMENT_TICKET,
        *_OF_SESSION,
    }
    if not proofs or not proofs <= known:
        raise ContractBroken(f"{method.full_name} names no session requirement, or one that this server can't check")
    agent = access_pb2.SESSION_REQUIREMENT_AGENT in proofs
    if agent and (
        not proofs <= {access_pb2.SESSION_REQUIREMENT_AGENT, access_pb2.SESSION_REQUIREMENT_TICKET}
        or access_pb2.CALLER_ROLE_SUPPORT not in callers
        or "realm_id" not in method.input_type.fields_by_name
        or access.any_client
        or method.server_streaming
    ):
        raise ContractBroken(
            f"{method.full_name} takes an agent's session, so it names a realm, and callers of SUPPORT"
        )
    tickets = _ticket_fields(method.input_type) if access_pb2.SESSION_REQUIREMENT_TICKET in proofs else ()
    if access_pb2.SESSION_REQUIREMENT_TICKET in proofs and not tickets:
        raise ContractBroken(f"{method.full_name} takes a ticket, but its request has no field for one")
    anyone = access_pb2.CALLER_ROLE_ANY in callers
    return Policy(
        path=path_of(method),
        request_descriptor=method.input_type,
        parse=message_factory.GetMessageClass(method.input_type).FromString,
        roles=frozenset(Role) if anyone else frozenset(_ROLES[role] for role in callers),
        role_names="ANY" if anyone else ",".join(sorted(_ROLES[role].name for role in callers)),
        requirements=tuple(r for r in _OF_SESSION if r in proofs),
        without_session=access_pb2.SESSION_REQUIREMENT_NONE in proofs,
        tickets=tickets,
        approver=approver,
        agent=agent,
        any_client=access.any_client,
        takes_credential=access.takes_credential,
        takes_client="client" in method.input_type.fields_by_name,
        names_realm="realm_id" in method.input_type.fields_by_name,
    )


def _ticket_fields(request: Descriptor) -> tuple[str, ...]:
    return tuple(
        field.name
        for field in request.fields
        if field.type == FieldDescriptor.TYPE_STRING
        and ((field.name.endswith("_token") and field.name not in _NO_TICKETS) or field.name == "pairing_code")
    )
