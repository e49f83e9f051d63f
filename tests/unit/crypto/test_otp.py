import io
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from twofold_server.crypto import otp

SEED = b"12345678901234567890"
NOW = datetime(2026, 5, 1, 12, 0, 7, tzinfo=UTC)
STEP = otp.step_at(NOW)

# Of no other kind: in a QR code's modules a reader may find the bars of one.
_QR_CODES = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])


@pytest.mark.parametrize(
    ("counter", "code"),
    list(
        enumerate(["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"])
    ),
)
def test_rfc_4226_vectors(counter: int, code: str) -> None:
    """The HOTP values of RFC 4226, appendix D."""
    assert otp.totp_code(SEED, counter) == code


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_rfc_6238_vectors(seconds: int, code: str) -> None:
    """The TOTP values (SHA-1, eight digits) of RFC 6238, appendix B."""
    now = datetime.fromtimestamp(seconds, UTC)
    assert otp.totp_code(SEED, otp.step_at(now), digits=8) == code
    assert otp.matching_step(SEED, code, now, digits=8, drift_steps=0) == seconds // 30


@given(st.binary(min_size=20, max_size=20), st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001
def test_codes_are_those_of_another_implementation(seed: bytes, naive: datetime) -> None:
    """An independent implementation, given the seed as an app would have it, shows the same code."""
    now = naive.replace(tzinfo=UTC)
    app = pyotp.TOTP(otp.secret_text(seed).replace(" ", ""))
    assert otp.totp_code(seed, otp.step_at(now)) == app.at(now)


@given(st.binary(min_size=20, max_size=20), st.integers(-3, 3), st.integers(0, 2))
def test_a_code_matches_within_the_drift_only(seed: bytes, offset: int, drift: int) -> None:
    """A code of a step within the drift matches, as the nearest step with that code; one outside does not."""
    code = otp.totp_code(seed, STEP + offset)
    alike = [o for o in range(-drift, drift + 1) if otp.totp_code(seed, STEP + o) == code]
    found = otp.matching_step(seed, code, NOW, drift_steps=drift)
    if alike:
        assert found is not None
        assert abs(found - STEP) == min(abs(o) for o in alike)
    else:
        assert found is None


def test_of_two_matching_steps_the_nearest_is_taken_and_the_later_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where codes of several steps collide, the current step comes first, then the later of the two beside it."""
    monkeypatch.setattr(otp, "totp_code", lambda _seed, _step, *, digits: "0" * digits)
    assert otp.matching_step(SEED, "000000", NOW) == STEP
    monkeypatch.setattr(otp, "totp_code", lambda _seed, step, *, digits: str(int(step == STEP)) * digits)
    assert otp.matching_step(SEED, "000000", NOW) == STEP + 1


def test_every_step_is_computed_whichever_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work does not tell which step matched."""
    computed: list[int] = []
    real = otp.totp_code

    def counting(seed: bytes, step: int, *, digits: int) -> str:
        computed.append(step)
        return real(seed, step, digits=digits)

    monkeypatch.setattr(otp, "totp_code", counting)
    for code in (real(SEED, STEP), real(SEED, STEP - 1), "abcdef"):
        computed.clear()
        otp.matching_step(SEED, code, NOW)
        assert sorted(computed) == [STEP - 1, STEP, STEP + 1]


@pytest.mark.parametrize("code", ["", "12345", "1234567", "١٢٣٤٥٦", "abcdef", "\ud800"])
def test_what_is_no_code_matches_nothing(code: str) -> None:
    """Codes of other lengths and alphabets match no step and raise nothing."""
    assert otp.matching_step(SEED, code, NOW) is None


def test_drift_before_the_epoch_is_harmless() -> None:
    """At the first step there is no step before."""
    first = datetime.fromtimestamp(0, UTC)
    assert otp.matching_step(SEED, otp.totp_code(SEED, 0), first) == 0


def test_seeds_have_160_bits_and_differ() -> None:
    """A seed has 20 bytes, and no two are the same."""
    assert len(otp.new_seed()) == 20
    assert otp.new_seed() != otp.new_seed()


@pytest.mark.parametrize(
    ("issuer", "account", "label"),
    [
        ("Example Co", "ann@example.com", "Example Co:ann@example.com"),
        ("A&B?x=#/%", "ü 日本", "A&B?x=#/%:ü 日本"),
        ("Evil:Bank", "a:b", "Evil Bank:a b"),
        ("Line\r\nbreak", "\u202egnp.exe", "Line break:gnp.exe"),
    ],
)
def test_the_url_reads_back(issuer: str, account: str, label: str) -> None:
    """Label and parameters survive percent-encoding; colons, line breaks and bidi characters in names do not."""
    url = otp.otpauth_url(SEED, issuer=issuer, account_name=account)
    parts = urlsplit(url)
    parameters = parse_qs(parts.query, strict_parsing=True)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == f"/{label}"
    assert parts.path.count(":") == 1
    assert " " not in url
    assert "+" not in url
    assert parameters == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": [label.split(":", maxsplit=1)[0]],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }


def test_an_app_reads_the_url() -> None:
    """Another implementation takes issuer, account and secret out of the URL."""
    app = pyotp.parse_uri(otp.otpauth_url(SEED, issuer="Example Co", account_name="ann@example.com"))
    assert isinstance(app, pyotp.TOTP)
    assert (app.issuer, app.name) == ("Example Co", "ann@example.com")
    assert app.at(NOW) == otp.totp_code(SEED, STEP)


def test_the_secret_is_shown_in_groups_of_four() -> None:
    """The text secret is base32 in groups of four without padding."""
    assert otp.secret_text(SEED) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"


@pytest.mark.parametrize("account", ["a@b.c", "a.rather.long.name.indeed" * 2 + "@example.com", "日本語のなまえ"])
def test_the_qr_code_decodes_to_the_url(account: str) -> None:
    """A reader finds exactly the otpauth URL in the PNG, which has a white border of four modules."""
    url = otp.otpauth_url(otp.new_seed(), issuer="Example Company", account_name=account)
    png = otp.qr_png(url)
    image = Image.open(io.BytesIO(png)).convert("L")
    assert [found.text for found in zxingcpp.read_barcodes(image, formats=_QR_CODES)] == [url]
    assert {image.getpixel((x, y)) for x in range(image.width) for y in range(24)} == {255}


def test_the_terminal_qr_code_decodes_to_the_url() -> None:
    """The characters drawn in a terminal, read as two modules each, decode to the URL."""
    url = otp.otpauth_url(SEED, issuer="Example", account_name="ann@example.com")
    lines = [line.removeprefix("\x1b[30;107m").removesuffix("\x1b[0m") for line in otp.qr_terminal(url).splitlines()]
    rows = [[character in dark for character in line] for line in lines for dark in ("▀█", "▄█")]
    image = Image.new("L", (len(rows[0]) * 4, len(rows) * 4), 255)
    for y, row in enumerate(rows):
        for x, dark in enumerate(row):
            if dark:
                image.paste(0, (x * 4, y * 4, x * 4 + 4, y * 4 + 4))
    assert [found.text for found in zxingcpp.read_barcodes(image, formats=_QR_CODES)] == [url]
