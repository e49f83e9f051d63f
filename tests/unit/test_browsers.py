"""User-Agents, as a phone shows them."""

import pytest

from twofold_server.domain.browsers import browser_of

LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Version/19.0 Safari/604.1"
CHROME = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "shown"),
    [
        (LINUX, "Firefox on Linux"),
        (EDGE, "Edge on Windows"),
        (SAFARI, "Safari on iPhone"),
        (CHROME, "Chrome on Android"),
        ("shop-app/3.1", "shop-app"),
        ("", ""),
        ("x" * 512, "x" * 64),
    ],
)
def test_a_user_agent_is_named_shortly(user_agent: str, shown: str) -> None:
    """Browser and system where they are known, else the product's own name, cut."""
    assert browser_of(user_agent) == shown
