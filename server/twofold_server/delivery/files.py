"""The file senders, for development and tests: each mail or text message a file."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

from twofold_server.delivery.mail import Mail, TemporaryFailure
from twofold_server.delivery.sms import Sms


class FileSender:
    """Writes each mail to `<time>-<template>-<outbox id>.eml` in a directory, mode 0600, whole or not at all.

    The time is when the message was caused, in UTC, so that names sort; sent again, a mail gets the same name.
    """

    __slots__ = ("_directory",)

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def send(self, mail: Mail, /) -> None:
        """Write the mail. Raises TemporaryFailure where it can't be written."""
        await _write(self._directory, mail.create_time, mail.template, mail.outbox_id, "eml", bytes(mail.message))


class SmsFileSender:
    """Writes each text message beside the mails, to a file ending in `.sms`: the number, an empty line, the text."""

    __slots__ = ("_directory",)

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def send(self, message: Sms, /) -> None:
        """Write the message. Raises TemporaryFailure where it can't be written."""
        content = f"To: {message.recipient}\n\n{message.text}\n".encode()
        await _write(self._directory, message.create_time, message.template, message.outbox_id, "sms", content)


async def _write(
    directory: Path, create_time: datetime, template: str, outbox_id: UUID, end: Literal["eml", "sms"], content: bytes
) -> None:
    time = create_time.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    path = directory / f"{time}-{template}-{outbox_id}.{end}"
    try:
        await asyncio.to_thread(_write_whole, path, outbox_id, content)
    except OSError as error:
        raise TemporaryFailure(f"file: {type(error).__name__}") from None


def _write_whole(path: Path, outbox_id: UUID, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Another name per writer: two that send the same message never write into one file.
    partial = path.parent / f".{outbox_id}-{os.getpid()}-{os.urandom(4).hex()}.partial"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
