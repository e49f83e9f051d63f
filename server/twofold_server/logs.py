"""The server's log on standard error: one line for each event, JSON for machines or coloured text for a person."""

import logging
import sys
from typing import Final

import structlog


def configure(level: str, *, for_person: bool = False) -> None:
    """Write lines of `level` (debug, info, warning, error) and above; the libraries' own from warning on."""
    number = logging.getLevelNamesMapping()[level.upper()]
    # What libraries say at DEBUG and INFO may hold what was sent.
    logging.basicConfig(stream=sys.stderr, level=max(number, logging.WARNING), force=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _without_exception_text,
            *(_FOR_PERSON if for_person else _FOR_MACHINE),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _without_exception_text(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    # An exception's text may quote a value: asyncpg's quote arguments.
    found = event.pop("exc_info", None)
    if found:
        error = found if isinstance(found, BaseException) else sys.exc_info()[1]
        event["error"] = f"{type(error).__module__}.{type(error).__qualname__}"
    return event


def _brief(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    # "SignIn INVALID_CREDENTIALS" in place of "call", and nothing that is empty.
    if event.get("event") == "call":
        method = str(event.pop("method", "")).rpartition("/")[2]
        event["event"] = f"{method} {event.pop('outcome', '')}"
    return {name: value for name, value in event.items() if value not in ("", [], None)}


_FOR_MACHINE: Final = (
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.JSONRenderer(),
)
_FOR_PERSON: Final = (
    _brief,
    structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
    structlog.dev.ConsoleRenderer(sort_keys=False, pad_event_to=0, pad_level=False),
)
