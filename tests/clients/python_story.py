"""The story, played by the Python client: the steps of clients/scenario/story.json, one after another."""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

from twofold import Client, TlsOptions, TwofoldError, Verifier

_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")
_PAUSE_SECONDS: Final = 0.02
_HELPER_SECONDS: Final = 60.0
_FILLED: Final = ("request", "session", "with", "verify", "expect")
_SERVICES: Final = {
    "AccountService": "accounts",
    "TwoFactorService": "two_factor",
    "RecoveryService": "recovery",
    "SessionService": "sessions",
    "SupportService": "support",
}


class StepFailed(Exception):
    """A step did not end as it must; the text says how it ended."""


def main(config: dict[str, Any]) -> int:
    """Play the story; 0, or 1 after the first step that does not end as it must."""
    steps = json.loads(Path(config["story"]).read_text(encoding="utf-8"))["steps"]
    return asyncio.run(_play(config, steps))


async def _play(config: dict[str, Any], steps: list[dict[str, Any]]) -> int:
    tls = TlsOptions.from_files(config["root_certificates"], config["client_certificate"], config["client_key"])
    side: dict[str, Any] = {"credential": config["credential"], "tls": tls}
    async with (
        Client(config["target"], **side) as client,
        Verifier(config["target"], realm_id=config["realm_id"], audience=config["audience"], **side) as verifier,
    ):
        player = _Player(client, verifier, config["helper"], dict(config["variables"]))
        for step in steps:
            began = time.monotonic()
            told: dict[str, Any] = {"step": step["name"], "ok": True}
            try:
                await player.play(step)
            except StepFailed as failure:
                told |= {"ok": False, "error": str(failure)}
            print(json.dumps(told | {"seconds": round(time.monotonic() - began, 4)}), flush=True)
            if not told["ok"]:
                return 1
    return 0


class _Player:
    """Plays steps, and holds the variables between them."""

    def __init__(self, client: Client, verifier: Verifier, helper: str, variables: dict[str, Any]) -> None:
        self._client = client
        self._verifier = verifier
        self._helper = helper
        self._variables = variables

    async def play(self, step: dict[str, Any]) -> None:
        """Play a step until it ends as it must. Raises StepFailed where it does not in time."""
        # Checked before a try and not after it: a step that ended as it must is never too late for the player.
        ends = time.monotonic() + step.get("within_seconds", 0.0)
        given: dict[str, Any] = {key: self._filled(step[key]) for key in _FILLED if key in step}
        while True:
            tried = time.monotonic()
            try:
                return self._judge(step, given, await self._outcome(step, given))
            except StepFailed:
                if tried >= ends:
                    raise
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _outcome(self, step: dict[str, Any], given: dict[str, Any]) -> dict[str, Any] | TwofoldError:
        try:
            if "call" in step:
                return await self._call(step["call"], given.get("request", {}), given.get("session"))
            if "ask" in step:
                return await asyncio.to_thread(self._ask, step["ask"], given.get("with", {}))
            session = self._verifier.verify(given["verify"])
            names = ("account_id", "session_id", "realm_id", "client_id", "aal")
            return {name: getattr(session, name) for name in names} | {"amr": list(session.amr)}
        except TwofoldError as error:
            return error

    async def _call(self, name: str, request: dict[str, Any], session: str | None) -> dict[str, Any]:
        service, _, method = name.partition("/")
        descriptor = descriptor_pool.Default().FindMethodByName(f"twofold.v1.{service}.{method}")
        message = json_format.ParseDict(request, message_factory.GetMessageClass(descriptor.input_type)())
        call = getattr(getattr(self._client, _SERVICES[service]), method)
        answer: Message = await call(message, session=session)
        return json_format.MessageToDict(answer)

    def _ask(self, question: str, about: dict[str, str]) -> dict[str, Any]:
        url = f"{self._helper}/{question}?{urllib.parse.urlencode(about)}"
        # Straight there, whatever proxy the environment names.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=_HELPER_SECONDS) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except OSError as error:
            raise StepFailed(f"the helper does not answer: {error}") from None

    def _judge(self, step: dict[str, Any], given: dict[str, Any], outcome: dict[str, Any] | TwofoldError) -> None:
        if isinstance(outcome, TwofoldError):
            if "error" not in step:
                raise StepFailed(f"it failed: {outcome!r}")
            return _demand_error(step["error"], outcome)
        if "error" in step:
            raise StepFailed(f"it succeeded, and should have failed with {step['error']['reason']}")
        for path, wanted in given.get("expect", {}).items():
            if (found := _at(outcome, path)) != wanted:
                raise StepFailed(f"{path} is {found!r}, and should be {wanted!r}")
        self._variables |= {name: _at(outcome, path) for name, path in step.get("save", {}).items()}
        return None

    def _filled(self, value: Any) -> Any:
        """The value with its variables put in."""
        if isinstance(value, dict):
            return {key: self._filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner) for inner in value]
        if not isinstance(value, str):
            return value
        if whole := _VARIABLE.fullmatch(value):
            return self._variables[whole[1]]
        return _VARIABLE.sub(lambda found: str(self._variables[found[1]]), value)


def _demand_error(wanted: dict[str, Any], error: TwofoldError) -> None:
    found: dict[str, Any] = {"code": error.code.name, "reason": error.reason, "kind": type(error).__name__}
    if "retry_after" in wanted:
        found["retry_after"] = error.retry_after is not None and error.retry_after > 0
    if "fields" in wanted:
        found["fields"] = [violation.field for violation in error.field_violations]
    if found != wanted:
        raise StepFailed(f"it failed with {found}, and should have with {wanted}")


def _at(answer: Any, path: str) -> Any:
    """The value at a path. Raises StepFailed where there is none."""
    value = answer
    for name in path.split("."):
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (KeyError, IndexError, TypeError, ValueError):
            raise StepFailed(f"the answer has no {path}") from None
    return value
