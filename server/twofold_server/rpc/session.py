"""SessionService: proto in, proto out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from twofold.v1 import session_pb2
from twofold_server.domain.clock import Clock
from twofold_server.domain.errors import SessionInvalid
from twofold_server.domain.paging import Pages
from twofold_server.domain.realms import Realms
from twofold_server.domain.revocations import Revocations
from twofold_server.domain.sessions import Sessions
from twofold_server.domain.step_up import StepUps
from twofold_server.rpc import packing
from twofold_server.rpc.call import Call
from twofold_server.rpc.door import reading

_LONGEST_RESUME_TOKEN: Final = 160


class SessionServicer:
    """Sessions: kept alive, checked, stepped up, listed and ended."""

    SERVICE: Final = session_pb2.DESCRIPTOR.services_by_name["SessionService"]

    def __init__(
        self,
        realms: Realms,
        sessions: Sessions,
        step_ups: StepUps,
        revocations: Revocations,
        pages: Pages,
        clock: Clock,
    ) -> None:
        self._realms = realms
        self._sessions = sessions
        self._step_ups = step_ups
        self._revocations = revocations
        self._pages = pages
        self._clock = clock

    async def RefreshSession(
        self, request: session_pb2.RefreshSessionRequest, call: Call
    ) -> session_pb2.RefreshSessionResponse:
        with reading(request) as door:
            refresh_token = door.refresh_token()
            audience = door.audience()
            client = door.client(call) if request.HasField("client") else None
        user_agent = client.comparable_user_agent if client is not None else None
        result = await self._sessions.refresh(call.realms, call.caller.name, refresh_token, audience, user_agent)
        return session_pb2.RefreshSessionResponse(
            session=packing.session(result.session, result.session.session_id), tokens=packing.tokens(result.tokens)
        )

    async def CheckSession(
        self, request: session_pb2.CheckSessionRequest, call: Call
    ) -> session_pb2.CheckSessionResponse:
        with reading(request) as door:
            audience = door.audience(required=True)
        # The audience that the token was issued for must be the one that asks: a token for another service is no
        # session here.
        if call.token.audience != audience.text:
            raise SessionInvalid
        return session_pb2.CheckSessionResponse(
            session=(
                packing.session(await self._sessions.fresh(call.token), call.token.session_id)
                if request.fresh
                else packing.token_session(call.token)
            ),
            access_token_expire_time=packing.timestamp(call.token.expire_time),
        )

    async def StepUp(self, request: session_pb2.StepUpRequest, call: Call) -> session_pb2.StepUpResponse:
        realm = await self._realms.get(call.realm)
        with reading(request) as door:
            proof = door.one_of("proof")
            password = door.password() if proof == "password" else None
            origin = door.origin(call)
        if password is not None:
            result = await self._step_ups.with_password(realm, call.user, origin, password)
            return session_pb2.StepUpResponse(signed_in=packing.signed_in(result))
        challenge = await self._step_ups.begin(realm, call.user, origin)
        return session_pb2.StepUpResponse(challenge=packing.challenge(challenge))

    async def SignOut(self, request: session_pb2.SignOutRequest, call: Call) -> session_pb2.SignOutResponse:
        if request.refresh_token:
            with reading(request) as door:
                refresh_token = door.refresh_token()
            await self._sessions.sign_out_by_token(call.realms, call.caller.name, refresh_token)
        else:
            await self._sessions.sign_out(call.user)
        return session_pb2.SignOutResponse()

    async def ListSessions(
        self, request: session_pb2.ListSessionsRequest, call: Call
    ) -> session_pb2.ListSessionsResponse:
        with reading(request) as door:
            page = door.page(call, self._pages)
        rows = await self._sessions.page(call.user, page.after, page.size + 1)
        shown, token = self._pages.cut(call.scope, rows, page.size, lambda row: row.session_id)
        return session_pb2.ListSessionsResponse(
            sessions=[packing.session(row, call.user.session_id) for row in shown], next_page_token=token
        )

    async def RevokeSession(
        self, request: session_pb2.RevokeSessionRequest, call: Call
    ) -> session_pb2.RevokeSessionResponse:
        with reading(request) as door:
            session_id = door.identifier("session_id")
        await self._sessions.revoke(call.user, session_id)
        return session_pb2.RevokeSessionResponse()

    async def RevokeOtherSessions(
        self, request: session_pb2.RevokeOtherSessionsRequest, call: Call
    ) -> session_pb2.RevokeOtherSessionsResponse:
        result = await self._sessions.revoke_others(call.user)
        return session_pb2.RevokeOtherSessionsResponse(
            session=packing.session(result.session, result.session.session_id), tokens=packing.tokens(result.tokens)
        )

    async def WatchRevocations(
        self, request: session_pb2.WatchRevocationsRequest, call: Call
    ) -> AsyncIterator[session_pb2.WatchRevocationsResponse]:
        with reading(request) as door:
            if len(request.resume_token) > _LONGEST_RESUME_TOKEN:
                door.refuse("resume_token", "Not a resume token: send what the stream returned last.")
        async for update in self._revocations.watch({call.realm}, request.resume_token):
            yield session_pb2.WatchRevocationsResponse(
                revocations=[packing.revocation(row) for row in update.rows],
                reset=update.reset,
                current=update.current,
                resume_token=update.resume_token,
                server_time=packing.timestamp(self._clock()),
            )

    async def GetSigningKeys(
        self, request: session_pb2.GetSigningKeysRequest, call: Call
    ) -> session_pb2.GetSigningKeysResponse:
        realm, keys = await self._sessions.published_keys(call.realm)
        packed = []
        for key in keys:
            x, y = key.key.coordinates()
            packed.append(
                session_pb2.SigningKey(
                    key_id=key.key.kid,
                    x=x,
                    y=y,
                    publish_time=packing.timestamp(key.publish_time),
                    sign_time=packing.timestamp(key.sign_time),
                )
            )
            if key.retire_time is not None:
                packed[-1].retire_time.FromDatetime(key.retire_time)
        return session_pb2.GetSigningKeysResponse(keys=packed, issuer=realm.issuer, audiences=realm.settings.audiences)
