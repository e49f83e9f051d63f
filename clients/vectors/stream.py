"""The sequence of stream messages in revocations.json."""  # noqa: INP001

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

ADA, BEN = "019cbf00-0000-7000-8000-0000000000a0", "019cbf00-0000-7000-8000-0000000000b0"
ADA_PHONE, ADA_LAPTOP = "019cbf00-0000-7000-8000-0000000000a1", "019cbf00-0000-7000-8000-0000000000a2"
ADA_LATER, BEN_PHONE = "019cbf00-0000-7000-8000-0000000000a3", "019cbf00-0000-7000-8000-0000000000b1"
Token = tuple[str, str, int, str]
TOKENS: dict[str, Token] = {
    "ada_phone": (ADA, ADA_PHONE, 1, "key-1"),
    "ada_laptop": (ADA, ADA_LAPTOP, 1, "key-1"),
    "ada_later": (ADA, ADA_LATER, 2, "key-1"),
    "ben_phone": (BEN, BEN_PHONE, 1, "key-1"),
    "ben_second_key": (BEN, BEN_PHONE, 1, "key-2"),
}


def stream_vectors(now: int, realm: str) -> tuple[dict[str, Token], list[dict[str, Any]]]:
    """The tokens by name as (sub, sid, epoch, kid), and what is dead after each message."""
    number = 0

    def at(seconds: float) -> str:
        return datetime.fromtimestamp(now + seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def revoked(kind: str, subject: str, epoch: int = 0, *, of: str = realm, life: int = 4000) -> dict[str, Any]:
        nonlocal number
        number += 1
        row: dict[str, Any] = {"revocationId": f"019cbf00-0000-7000-8000-0000000010{number:02d}"}
        if kind != "SIGNING_KEY":
            row["realmId"] = of
        row |= {"kind": f"REVOCATION_KIND_{kind}", "subject": subject}
        return row | ({"epoch": epoch} if epoch else {}) | {"expireTime": at(life)}

    steps: list[dict[str, Any]] = []

    def step(why: str, ready: bool, dead: list[str], **message: Any) -> None:  # noqa: ANN401 any field
        opened = {"resumed": message.pop("resumed")} if "resumed" in message else {}
        message["serverTime"] = at(len(steps))
        steps.append({"name": why, **opened, "message": message, "ready": ready, "dead": dead})

    phone = revoked("SESSION", ADA_PHONE)
    step("a snapshot begins", False, ["ada_phone"], resumed=False, reset=True, revocations=[phone])
    step(
        "and is complete",
        True,
        ["ada_phone"],
        current=True,
        resumeToken="1.10",
        revocations=[revoked("SESSION", "019cbf00-0000-7000-8000-0000000000ff")],
    )
    step("a heartbeat", True, ["ada_phone"], current=True, resumeToken="1.11")
    step("the same revocation again", True, ["ada_phone"], current=True, resumeToken="1.12", revocations=[phone])
    step(
        "an account's epoch rises: what has a lower one is dead",
        True,
        ["ada_phone", "ada_laptop"],
        current=True,
        resumeToken="1.13",
        revocations=[revoked("ACCOUNT", ADA, 2)],
    )
    step(
        "a lower epoch, found late, brings nothing back",
        True,
        ["ada_phone", "ada_laptop"],
        current=True,
        resumeToken="1.14",
        revocations=[revoked("ACCOUNT", ADA, 1)],
    )
    step(
        "what concerns no access token, or another realm",
        True,
        ["ada_phone", "ada_laptop"],
        current=True,
        resumeToken="1.15",
        revocations=[
            revoked("API_KEY", BEN_PHONE),
            revoked("REALM", "other", of="other"),
            revoked("SESSION", BEN_PHONE, of="other"),
        ],
    )
    step(
        "a connection was lost, and the stream resumed",
        True,
        ["ada_phone", "ada_laptop"],
        resumed=True,
        current=True,
        resumeToken="1.16",
    )
    step(
        "a new snapshot begins: what was held still counts",
        True,
        ["ada_phone", "ada_laptop"],
        resumed=True,
        reset=True,
        revocations=[revoked("ACCOUNT", ADA, 2)],
    )
    step(
        "it breaks off, and another begins",
        True,
        ["ada_phone", "ada_laptop", "ben_phone", "ben_second_key"],
        resumed=True,
        reset=True,
        revocations=[revoked("SESSION", BEN_PHONE)],
    )
    step(
        "and is complete: nothing else counts any more",
        True,
        ["ben_phone", "ben_second_key"],
        current=True,
        resumeToken="1.20",
    )
    step(
        "a signing key is withdrawn",
        True,
        ["ben_phone", "ben_second_key", "ada_phone", "ada_laptop", "ada_later"],
        current=True,
        resumeToken="1.21",
        revocations=[revoked("SIGNING_KEY", "key-1")],
    )
    step("a snapshot of nothing", True, [], reset=True, current=True, resumeToken="1.22")
    step(
        "the realm is closed",
        True,
        list(TOKENS),
        current=True,
        resumeToken="1.23",
        revocations=[revoked("REALM", realm)],
    )
    return TOKENS, steps
