"""Middleware that lets signed-in users alone reach an ASGI app: Starlette, FastAPI, Django or none of them."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, TypeAlias

from twofold.errors import PermissionDenied, TwofoldError, Unauthenticated, Unavailable
from twofold.guard import RETRY_SECONDS, Guard, Refusal, bearer_token, enter, leave, refusal
from twofold.lifespan import Lifespan
from twofold.verified import VerifiedSession
from twofold.verifier import Verifier
