"""The server's log: one line of JSON for each event, on standard error."""

import logging
import sys

import structlog


def configure(level: str) -> None:
    """Write lines of `level` (debug, info, warning, error) and above; the libraries' own from warning on."""
    number = logging.getLevelNamesMapping()[level.upper()]
    # What libraries say at DEBUG and INFO may hold what was sent.
    logging.basicConfig(stream=sys.stderr, level=max(number, logging.WARNING), force=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_exception_text,
            structlog.processors.JSONRenderer(),
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
