"""What the contract's options say, in words."""

from collections.abc import Iterable

from dev.reference.contract import Method
from twofold.v1 import access_pb2

_ROLES = {
    access_pb2.CALLER_ROLE_ANY: "any caller with a grant in the realm",
    access_pb2.CALLER_ROLE_FRONTEND: "a caller with the role `frontend`",
    access_pb2.CALLER_ROLE_VERIFIER: "a caller with the role `verifier`",
    access_pb2.CALLER_ROLE_SUPPORT: "a caller with the role `support`",
    access_pb2.CALLER_ROLE_ADMIN: "a caller with the role `admin`",
}
_PROOFS = {
    access_pb2.SESSION_REQUIREMENT_NONE: "nothing",
    access_pb2.SESSION_REQUIREMENT_TICKET: "the token of a pending step or a refresh token, in the request itself",
    access_pb2.SESSION_REQUIREMENT_APPROVER: "a paired phone's own proof, in metadata `twofold-approver`",
    access_pb2.SESSION_REQUIREMENT_ANY: "a live session, in metadata `twofold-session`",
    access_pb2.SESSION_REQUIREMENT_RECENT_PASSWORD: "a live session with a password proven within 10 min",
    access_pb2.SESSION_REQUIREMENT_RECENT_TWO_FACTOR: (
        "a live session in which the strongest enrolled factor was proven within 10 min, "
        "or the password where none is enrolled"
    ),
    access_pb2.SESSION_REQUIREMENT_AGENT: (
        "an agent's session, of the realm `support`, with a second factor proven within 10 min"
    ),
}
_REPEATS = {
    "NO_SIDE_EFFECTS": "changes nothing, so clients repeat it on UNAVAILABLE (`NO_SIDE_EFFECTS`)",
    "IDEMPOTENT": "a repeat is as good as one call, so clients repeat it on UNAVAILABLE (`IDEMPOTENT`)",
    "IDEMPOTENCY_UNKNOWN": "clients do not repeat it by themselves, unless the server says that it did not begin it",
}
_SHORT_REPEATS = {"NO_SIDE_EFFECTS": "yes, reads only", "IDEMPOTENT": "yes", "IDEMPOTENCY_UNKNOWN": "no"}


def who(method: Method) -> str:
    """Who may call the method, as a sentence."""
    access = method.access
    callers = _either(_ROLES[role] for role in access.caller)
    text = f"{callers[:1].upper()}{callers[1:]}. The end user: {_either(_PROOFS[proof] for proof in access.session)}."
    if access.any_client:
        text += " The session may be another caller's: the request names the audience instead."
    if access.takes_credential:
        text += " A caller that may state its client must send `client.ip_address`."
    return text


def roles(method: Method) -> str:
    """The roles that may call the method, as short as they are written in `twofold-server caller add`."""
    names = (access_pb2.CallerRole.Name(role).removeprefix("CALLER_ROLE_").lower() for role in method.access.caller)
    return ", ".join(f"`{name}`" if name != "any" else "any" for name in names)


def repeats(method: Method) -> str:
    """Whether a client may repeat the method by itself."""
    return _REPEATS[method.idempotency]


def short_repeats(method: Method) -> str:
    """The same, for a table."""
    return _SHORT_REPEATS[method.idempotency]


def _either(parts: Iterable[str]) -> str:
    return ", or ".join(parts)
