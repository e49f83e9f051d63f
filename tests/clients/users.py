"""Users of the story's server, made by the Python client."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

import httpx

from tests.clients.server import Served
from twofold import Client
from twofold.v1 import account_pb2, sign_in_pb2

PASSWORD: Final = "correct horse battery 9"


@dataclass(frozen=True, slots=True)
class User:
    """An activated account."""

    email: str
    account_id: str
    client: sign_in_pb2.ClientContext = field(repr=False)

    async def sign_in(self, client: Client) -> sign_in_pb2.SessionTokens:
        """The tokens of a new session."""
        request = account_pb2.SignInRequest(email=self.email, password=PASSWORD, client=self.client)
        return (await client.accounts.SignIn(request)).signed_in.tokens


async def new_user(served: Served, client: Client, name: str) -> User:
    """Sign a user up and activate the account."""
    given = served.variables(name)
    side = sign_in_pb2.ClientContext(ip_address=given["ip_address"], user_agent="Test/1.0")
    claim = await client.accounts.SignUp(
        account_pb2.SignUpRequest(email=given["email"], password=PASSWORD, client=side)
    )
    async with asyncio.timeout(20), httpx.AsyncClient(trust_env=False, timeout=20) as helper:
        answer = await helper.get(f"{served.helper}/link?{urlencode({'email': given['email']})}")
    activated = await client.accounts.ActivateAccount(
        account_pb2.ActivateAccountRequest(
            activation_token=answer.raise_for_status().json()["token"],
            sign_up_binding=claim.sign_up_binding,
            client=side,
        )
    )
    return User(given["email"], activated.account.account_id, side)
