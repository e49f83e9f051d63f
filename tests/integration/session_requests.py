"""Requests about sessions that succeed, as `requests_that_succeed` has them for every RPC."""

from __future__ import annotations

from tests.integration.quick import Builder, Prepared, Quick
from tests.integration.request_parts import for_anyone, full_client, in_session
from twofold.v1 import session_pb2


async def _refresh(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = session_pb2.RefreshSessionRequest(
        refresh_token=user.tokens.refresh_token, audience="twofold", client=full_client(service, user)
    )
    return Prepared(request, service.metadata, once=True)


async def _check(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    request = session_pb2.CheckSessionRequest(realm_id="default", audience="twofold", fresh=True)
    return Prepared(request, service.with_session(user))


async def _step_up(service: Quick) -> Prepared:
    user = await service.two_factor_user()
    request = session_pb2.StepUpRequest(password=user.password, client=full_client(service, user))
    return Prepared(request, service.with_session(user))


async def _sign_out(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    return Prepared(session_pb2.SignOutRequest(), service.with_session(user), once=True)


async def _list_sessions(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    await service.sign_in(user)
    listed = await service.sessions.ListSessions(
        session_pb2.ListSessionsRequest(page_size=1), metadata=service.with_session(user)
    )
    return Prepared(
        session_pb2.ListSessionsRequest(page_size=1, page_token=listed.next_page_token), service.with_session(user)
    )


async def _revoke_session(service: Quick) -> Prepared:
    user = await service.signed_in_user()
    other = user.session.session_id
    await service.sign_in(user)
    return Prepared(session_pb2.RevokeSessionRequest(session_id=other), service.with_session(user))


BUILDERS: dict[str, Builder] = {
    "SessionService.RefreshSession": _refresh,
    "SessionService.CheckSession": _check,
    "SessionService.StepUp": _step_up,
    "SessionService.SignOut": _sign_out,
    "SessionService.ListSessions": _list_sessions,
    "SessionService.RevokeSession": _revoke_session,
    "SessionService.RevokeOtherSessions": in_session(session_pb2.RevokeOtherSessionsRequest, once=True),
    "SessionService.WatchRevocations": for_anyone(session_pb2.WatchRevocationsRequest(realm_id="default")),
    "SessionService.GetSigningKeys": for_anyone(session_pb2.GetSigningKeysRequest(realm_id="default")),
}
