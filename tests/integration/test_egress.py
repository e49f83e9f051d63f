"""The one HTTP client, against servers that mean no good."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.http_server import Asked, Gateway, answer, gateway
from twofold_server.egress.addresses import is_global
from twofold_server.egress.http import AnswerLost, EgressRefused, Http, NotReached, Origin, Redirected


def client(server: Gateway, **options: Any) -> Http:
    """A client that may call this server."""
    return Http([Origin.parse(server.origin)], **options)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1", "203.0.113.5", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a00:1::",
        "2001:db8::1", "2001:0:7f00:1::", "not an address",
    ],
)  # fmt: skip
def test_addresses_that_are_not_global(address: str) -> None:
    """Loopback, private, link-local, shared, metadata, multicast and reserved ones, in any wrapping."""
    assert not is_global(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
def test_addresses_that_are_global(address: str) -> None:
    """The open internet."""
    assert is_global(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:{port}/", "https://localhost:{port}/", "https://[::1]:{port}/", "https://2130706433:{port}/",
        "https://0x7f.1:{port}/", "https://0177.0.0.1:{port}/", "https://[::ffff:127.0.0.1]:{port}/",
        "https://169.254.169.254/latest/meta-data/", "https://10.0.0.1/", "https://0.0.0.0:{port}/",
    ],
)  # fmt: skip
async def test_what_is_not_global_is_not_called(url: str) -> None:
    """However the address is spelt, nothing is sent."""
    async with gateway() as server:
        with pytest.raises((EgressRefused, NotReached)):
            await Http().get(url.format(port=server.port))
        assert server.asked == []


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["169.254.169.254"], ["fd00::1", "2606:4700::1"]]
)
async def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> None:
    """One address of the answer that is not global suffices, so that none is reached by luck."""
    connected: list[object] = []

    async def resolve(*_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve, raising=False)
    monkeypatch.setattr(Http, "_exchange", lambda *given: connected.append(given))
    with pytest.raises(EgressRefused, match="not global"):
        await Http().get("https://inside.example.com/secret?token=abc")
    assert connected == []


async def test_a_name_is_resolved_once_and_that_address_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads elsewhere the second time (DNS rebinding) is not asked a second time."""
    async with gateway() as server:
        answers = ["127.0.0.1", "127.0.0.99"]
        asked: list[object] = []
        real = asyncio.get_running_loop().getaddrinfo

        async def resolve(host: object, port: object, **given: Any) -> list[Any]:
            if host != "rebound.example.com":
                return await real(host, port, **given)  # type: ignore[arg-type]
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve, raising=False)
        http = Http([Origin("http", "rebound.example.com", server.port)])
        found = await http.post(f"http://rebound.example.com:{server.port}/x?y=1", body=b"{}")
    assert (found.status, found.body, len(asked)) == (200, b'{"state": "queued"}', 1)
    assert server.asked[0].line == "POST /x?y=1 HTTP/1.1"
    assert server.asked[0].headers["host"] == f"rebound.example.com:{server.port}"


async def test_plain_http_is_for_allowed_origins_alone() -> None:
    """Another port of the same host is another origin."""
    async with gateway() as allowed, gateway() as other:
        http = client(allowed)
        assert (await http.get(f"{allowed.origin}/")).status == 200
        with pytest.raises(EgressRefused, match="https alone"):
            await http.get(f"{other.origin}/")
        assert other.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    """Wherever it leads, back to the server itself too."""
    async with gateway(then=answer(status, location="/elsewhere")) as server:
        with pytest.raises(Redirected):
            await client(server).get(f"{server.origin}/")
        assert len(server.asked) == 1


async def test_a_gzip_bomb_is_cut_off() -> None:
    """200 MB in 200 KB are unpacked no further than the limit."""
    bomb = gzip.compress(bytes(200_000_000))
    async with gateway(then=answer(200, bomb, content_encoding="gzip")) as server:
        with pytest.raises(AnswerLost, match="more than"):
            await client(server).get(f"{server.origin}/")


async def test_sizes_about_the_limit() -> None:
    """256 KiB are read, packed or not; a byte more is not."""
    whole = bytes(256 * 1024)
    for body, fits in ((whole, True), (whole + b"x", False)):
        for packed in (False, True):
            sent = answer(200, gzip.compress(body), content_encoding="gzip") if packed else answer(200, body)
            async with gateway(then=sent) as server:
                if fits:
                    assert (await client(server).get(f"{server.origin}/")).body == body
                else:
                    with pytest.raises(AnswerLost):
                        await client(server).get(f"{server.origin}/")


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip"])
async def test_encodings_that_were_not_asked_for(encoding: str) -> None:
    """No second layer, and no other packing, is unpacked."""
    async with gateway(then=answer(200, b"x", content_encoding=encoding)) as server:
        with pytest.raises(AnswerLost, match="encoding"):
            await client(server).get(f"{server.origin}/")


async def test_a_slow_body_ends_in_time() -> None:
    """A byte now and then does not keep the call alive: the time is for all of it."""

    async def drip(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with gateway(behave=drip) as server:
        started = asyncio.get_running_loop().time()
        with pytest.raises(AnswerLost, match="no answer in time"):
            await client(server, seconds=0.4).get(f"{server.origin}/")
        assert asyncio.get_running_loop().time() - started < 2


async def test_silence_and_nobody_there() -> None:
    """What was sent may have been taken; what found nobody was not."""
    async with gateway(then=None) as server:
        with pytest.raises(AnswerLost):
            await client(server).post(f"{server.origin}/", body=b"{}")
        assert len(server.asked) == 1
    with pytest.raises(NotReached):
        await client(server).post(f"{server.origin}/", body=b"{}")
    with pytest.raises(NotReached):
        await Http().get("https://nothing.invalid/")


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would connect wherever it likes."""
    async with gateway() as proxy, gateway() as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
        await client(server).get(f"{server.origin}/")
        assert (proxy.asked, len(server.asked)) == ([], 1)


@pytest.mark.parametrize(
    "headers",
    [
        {"x": "a\r\nb: c"}, {"x": "a\nb"}, {"x\r\ny": "a"}, {"x": "a\x00"}, {"x": ""}, {"x": "é"}, {"": "a"},
        {"Host": "evil.example"}, {"Content-Length": "0"}, {"transfer-encoding": "chunked"}, {"x": "a" * 3000},
    ],
)  # fmt: skip
async def test_headers_that_would_be_more_than_one(headers: dict[str, str]) -> None:
    """Nothing is sent where a header would begin another, or take the place of the client's own."""
    async with gateway() as server:
        with pytest.raises(EgressRefused):
            await client(server).get(f"{server.origin}/", headers=headers)
        assert server.asked == []


@pytest.mark.parametrize(
    "path",
    ["/a b", "/a\r\nx: y", "/a\tb", "/é", "/a#b", "/" + "a" * 3000, "@evil.example/", "\\@evil.example"],
)
async def test_urls_that_would_be_something_else(path: str) -> None:
    """Spaces, line breaks, users, fragments and backslashes are refused, unrepeated."""
    async with gateway() as server:
        with pytest.raises(EgressRefused) as caught:
            await client(server).get(f"{server.origin}{path}")
        assert server.asked == []
        assert "evil" not in str(caught.value)


async def test_no_secret_of_the_url_is_in_an_error() -> None:
    """Neither path nor query, whatever went wrong."""
    async with gateway(then=None) as server:
        http = client(server)
        for url in (f"{server.origin}/hunter2?key=hunter2", "https://nothing.invalid/hunter2", "ftp://hunter2/"):
            with pytest.raises((AnswerLost, NotReached, EgressRefused)) as caught:
                await http.get(url)
            assert "hunter2" not in repr(caught.value)
            assert caught.value.__suppress_context__


@pytest.mark.parametrize("text", ["http://127.0.0.1:1/x", "127.0.0.1:80", "ftp://a:1", "http://u:p@a:1", "http://a:0"])
def test_what_is_no_origin(text: str) -> None:
    """An entry of the allow-list is scheme, host and port."""
    with pytest.raises(ValueError, match=r"must be|not a"):
        Origin.parse(text)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A self-made certificate for a name or address, with its key, in one file."""

    def make(name: str) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        try:
            alternative: x509.GeneralName = x509.IPAddress(ip_address(name))
        except ValueError:
            alternative = x509.DNSName(name)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
            .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        file = tmp_path_factory.mktemp("tls") / "server.pem"
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file.write_bytes(made.public_bytes(pem) + private)
        return file

    return make


@pytest.mark.parametrize(("name", "trusted"), [("gateway.example.com", True), ("other.example.com", False)])
async def test_the_certificate_is_that_of_the_name(
    monkeypatch: pytest.MonkeyPatch, certificate: Callable[[str], Path], name: str, trusted: bool
) -> None:
    """The call goes to the address, and yet the name must be proven: another name's certificate gets nothing."""
    file = certificate(name)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(file)
    async with gateway(tls) as server:
        real = asyncio.get_running_loop().getaddrinfo

        async def resolve(host: Any, port: Any, **given: Any) -> list[Any]:
            return await real("127.0.0.1", port, **given)

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve, raising=False)
        http = Http([Origin("https", "gateway.example.com", server.port)], ca_file=file)
        url = f"https://gateway.example.com:{server.port}/"
        if trusted:
            assert (await http.get(url)).status == 200
        else:
            with pytest.raises(NotReached, match="not trusted"):
                await http.post(url, body=b"secret")
            assert server.asked == []
