"""The only HTTP client: what Twofold asks of others goes through it, and nothing else does.

Guards against server-side request forgery (OWASP SSRF, CWE-918): https alone; a name is resolved once and the address
that was looked at is the one connected to, so that a name can't lead elsewhere the second time (DNS rebinding); global
addresses alone; no redirect is followed; no proxy of the environment is used.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from twofold_server.egress.addresses import is_global

if TYPE_CHECKING:
    import httpx

SECONDS: Final = 5.0
MAXIMUM_BYTES: Final = 256 * 1024
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", re.ASCII)
# Visible ASCII and inner spaces: no line break that would begin another header (CWE-113).
_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,2046}[\x21-\x7e])?", re.ASCII)
_URL: Final = re.compile(r"[\x21-\x7e]{1,2048}", re.ASCII)
_PORTS: Final = {"https": 443, "http": 80}
# Set here alone.
_RESERVED: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "expect"})


class EgressError(Exception):
    """A call went wrong. The text names neither path, query nor credentials of the URL, nor what was answered."""


class EgressRefused(EgressError):
    """This client makes no such call: nothing was sent."""


class NotReached(EgressError):
    """Nobody was there to send it to: nothing was sent, save perhaps a TLS hello."""


class Redirected(EgressError):
    """It was answered by a redirect, which is not followed: the call did not have its effect."""


class AnswerLost(EgressError):
    """It was sent, in part at least, and no answer came that can be used: the other side may have done it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Read `http://127.0.0.1:8080`. Raises ValueError where there is more or less than scheme, host and port."""
        origin, rest = _split(text)
        if rest not in ("", "/"):
            raise ValueError("must be scheme, host and port alone, such as http://127.0.0.1:8080")
        return origin


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: never a redirect. `headers` by lower-case name; `body` decompressed."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Http:
    """Makes calls of 5 s at most in all, each over a connection of its own, and reads 256 KiB at most."""

    def __init__(
        self,
        allowed: Iterable[Origin] = (),
        *,
        ca_file: Path | None = None,
        seconds: float = SECONDS,
        maximum_bytes: int = MAXIMUM_BYTES,
    ) -> None:
        """`allowed` origins may be plain http and at any address. `ca_file` (PEM) replaces the system's authorities."""
        self._allowed = frozenset(allowed)
        self._seconds = seconds
        self._maximum = maximum_bytes
        self._tls = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        # A tenth of a server's start, for those alone that call others.
        import httpx  # noqa: PLC0415

        self._httpx = httpx

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for a resource. Raises EgressRefused, NotReached, Redirected or AnswerLost."""
        return await self._call("GET", url, headers or {}, b"")

    async def post(self, url: str, *, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Hand a body over. Raises EgressRefused, NotReached, Redirected: not handed over; AnswerLost: maybe."""
        return await self._call("POST", url, headers or {}, body)

    async def _call(self, method: Literal["GET", "POST"], url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            origin, target = _split(url)
        except ValueError as error:
            raise EgressRefused(str(error)) from None
        sent_headers = _checked(headers)
        if origin.scheme != "https" and origin not in self._allowed:
            raise EgressRefused("https alone, save for origins that the operator allows")
        progress = _Progress()
        try:
            async with asyncio.timeout(self._seconds):
                address = await self._resolve(origin)
                return await self._exchange(method, origin, address, target, sent_headers, body, progress)
        except (TimeoutError, self._httpx.HTTPError, OSError, zlib.error) as error:
            # Texts of libraries may quote the URL or what was sent.
            raise progress.failure(_cause(error)) from None

    async def _resolve(self, origin: Origin) -> str:
        """Resolve once; every address must be allowed, so that none is reached by luck."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                origin.host, origin.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            )
        except (OSError, UnicodeError) as error:
            raise NotReached(f"the name is not found ({type(error).__name__})") from None
        addresses = [str(entry[4][0]) for entry in found]
        if not addresses:
            raise NotReached("the name has no address")
        if origin not in self._allowed and not all(is_global(address) for address in addresses):
            raise EgressRefused("the name leads to an address that is not global")
        return addresses[0]

    async def _exchange(
        self,
        method: str,
        origin: Origin,
        address: str,
        target: str,
        headers: dict[str, str],
        body: bytes,
        progress: _Progress,
    ) -> Answer:
        host = f"[{address}]" if ":" in address else address
        named = f"[{origin.host}]" if ":" in origin.host else origin.host
        default_port = _PORTS[origin.scheme] == origin.port
        request = self._httpx.Request(
            method,
            f"{origin.scheme}://{host}:{origin.port}{target}",
            headers=headers | {"host": named if default_port else f"{named}:{origin.port}", "accept-encoding": "gzip"},
            content=body if method == "POST" else None,
            # The certificate must be that of the name, though the connection is made to the address.
            extensions={"sni_hostname": origin.host, "trace": progress.note},
        )
        # One for each call: a pool keyed by addresses would hand a connection proven for one name to another.
        async with self._httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False, retries=0) as transport:
            response = await transport.handle_async_request(request)
            try:
                if 300 <= response.status_code < 400:
                    raise Redirected(f"answered by a redirect ({response.status_code}), which is not followed")
                found = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, found, await self._read(response))
            finally:
                await response.aclose()

    async def _read(self, response: httpx.Response) -> bytes:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", ""):
            raise AnswerLost("answered in an encoding that was not asked for")
        unpacker = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
        body = bytearray()
        async for chunk in response.aiter_raw():
            # Never more than one byte over the limit, however much a few bytes would unpack to.
            room = self._maximum + 1 - len(body)
            body += unpacker.decompress(chunk, room) if unpacker else chunk[:room]
            if len(body) > self._maximum:
                raise AnswerLost(f"answered more than {self._maximum} bytes")
        if unpacker is not None and not unpacker.eof:
            raise AnswerLost("answered in a torn encoding")
        return bytes(body)


@dataclass(slots=True)
class _Progress:
    """How far a call came, which tells whether the other side may have taken it."""

    sending: bool = False

    async def note(self, event: str, _info: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            self.sending = True

    def failure(self, cause: str) -> EgressError:
        return AnswerLost(cause) if self.sending else NotReached(cause)


def _split(url: str) -> tuple[Origin, str]:
    """Origin, and path with query, of a URL. Raises ValueError, which repeats nothing of it."""
    if not _URL.fullmatch(url) or "\\" in url:
        raise ValueError("not a URL of at most 2048 visible ASCII characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme not in _PORTS or not host or parts.username is not None or "#" in url:
        raise ValueError("must be an http or https URL without user and fragment")
    if "%" in host or port == 0:
        raise ValueError("not a host and port")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Origin(parts.scheme, host, port or _PORTS[parts.scheme]), target


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    checked = {}
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _RESERVED or not _VALUE.fullmatch(value):
            raise EgressRefused("a header that this client does not send")
        checked[name.lower()] = value
    return checked


def _cause(error: BaseException) -> str:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return "the certificate is not trusted"
        seen = seen.__cause__ or seen.__context__
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
