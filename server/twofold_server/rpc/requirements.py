"""What an end user must have proven, beyond having a live session."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from twofold.v1 import access_pb2
from twofold_server.domain.active_sessions import is_recent
from twofold_server.domain.errors import (
    RecentPasswordRequired,
    RecentTwoFactorRequired,
    SessionInvalid,
    TwofoldError,
)
from twofold_server.domain.realms import SUPPORT_REALM

if TYPE_CHECKING:
    from twofold_server.domain.active_sessions import ActiveSession
    from twofold_server.domain.realms import Realm


def unmet(requirement: int, session: ActiveSession, realm: Realm, now: datetime) -> TwofoldError | None:
    """What a session lacks for a requirement; None if it meets it.

    RECENT_TWO_FACTOR without an enrolled factor is a recent password, AGENT is then never met. A trusted device is no
    proof: it sets no `second_factor_time`.
    """
    if requirement == access_pb2.SESSION_REQUIREMENT_AGENT:
        if session.realm_id != SUPPORT_REALM:
            return SessionInvalid()
        proven = session.account_second_factor and session.strongest_is_recent(realm, now)
        return None if proven else RecentTwoFactorRequired()
    if requirement == access_pb2.SESSION_REQUIREMENT_ANY:
        return None
    if requirement == access_pb2.SESSION_REQUIREMENT_RECENT_TWO_FACTOR and session.account_second_factor:
        return None if session.strongest_is_recent(realm, now) else RecentTwoFactorRequired()
    return None if is_recent(session.auth_time, realm, now) else RecentPasswordRequired()
