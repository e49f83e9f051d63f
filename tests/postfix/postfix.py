"""A Postfix of the tests' own: Debian's programs with a configuration, queue and log in a folder, on loopback alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.e2e.authority import Authority
from tests.e2e.program import free_address

_PROGRAM: Final = "/usr/sbin/postfix"
_SECONDS: Final = 20
_MAIN: Final = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = relay.test
mydestination =
local_recipient_maps =
alias_maps =
inet_protocols = ipv4
inet_interfaces = 127.0.0.1
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{next_port}
smtp_host_lookup = native
disable_dns_lookups = yes
smtputf8_enable = no
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = {folder}/relay.pem
smtpd_tls_received_header = yes
smtp_tls_security_level = none
smtpd_delay_reject = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{
 {{ grey@example.org = 450 4.2.0 Greylisted, come again }},
 {{ nobody@example.org = 550 5.1.1 No such user here }} }}
"""
_MASTER: Final = """
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def program() -> str | None:
    """Postfix's path; None where there is none, or nobody who may start it: it needs root."""
    return _PROGRAM if os.access(_PROGRAM, os.X_OK) and os.getuid() == 0 else None


@dataclass(frozen=True, slots=True)
class Postfix:
    """A running Postfix: where it takes mail, what vouches for its certificate, and what it has logged."""

    port: int
    ca_file: Path
    log: Path


@contextlib.asynccontextmanager
async def running(folder: Path, next_port: int) -> AsyncIterator[Postfix]:
    """Start Postfix in a folder of its own, which hands all mail on to a port of loopback; stopped at the end."""
    path = program()
    assert path is not None, "no Postfix that may be started here: `apt-get install postfix`, as root"
    found = _prepared(folder, next_port)
    process = await asyncio.create_subprocess_exec(
        path, "-c", folder / "etc", "start-fg", start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _listening(found, process)
        yield found
    finally:
        # The master, which ends all its children; it has left the session that it was started in.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((folder / "queue" / "pid" / "master.pid").read_text()), signal.SIGTERM)
        await process.wait()


def _prepared(folder: Path, next_port: int) -> Postfix:
    # Its processes give up root, and must be able to enter.
    folder.chmod(0o755)
    for part in ("etc", "queue", "data", "log"):
        (folder / part).mkdir()
    shutil.chown(folder / "data", "postfix")
    authority = Authority("Postfix tests")
    certificate, ca_file = authority.server(), folder / "ca.pem"
    ca_file.write_bytes(authority.certificate)
    (folder / "relay.pem").touch(0o600)
    (folder / "relay.pem").write_bytes(certificate.key + certificate.chain)
    port = int(free_address().rpartition(":")[2])
    (folder / "etc" / "main.cf").write_text(_MAIN.format(folder=folder, next_port=next_port))
    (folder / "etc" / "master.cf").write_text(_MASTER.format(port=f"127.0.0.1:{port}"))
    return Postfix(port, ca_file, folder / "log" / "mail.log")


async def _listening(postfix: Postfix, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(_SECONDS):
        while True:
            assert process.returncode is None, postfix.log.read_text() if postfix.log.exists() else "it did not start"
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", postfix.port)
                writer.close()
                return
            await asyncio.sleep(0.05)
