"""Log lines: JSON in production, for the eye in development; no secret is ever in one."""

import logging.config
from collections.abc import MutableMapping
from typing import Any

import structlog

from agentiam.kit.redaction import HIDDEN, SECRET_NAMES, without_secrets


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Clean a log line; the last step before it is rendered, so that exceptions and arguments have become text."""
    for name in list(event):
        # Names with an underscore are the formatter's own, among them the record that it removes afterwards.
        if not name.startswith("_"):
            event[name] = HIDDEN if SECRET_NAMES.search(name) else without_secrets(event[name])
    return event


def configuration(*, as_json: bool, level: str) -> dict[str, Any]:
    """Describe one handler on standard error for all loggers, Django's and uvicorn's among them."""
    finish: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [*finish, renderer],
                "foreign_pre_chain": _shared(),
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": level},
        # Django says every 4xx a second time as a warning; the ones that matter have lines or events of their own.
        "loggers": {
            "django.request": {"level": "ERROR"},
            "django.security.csrf": {"level": "ERROR"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
        },
    }


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def configure(config: dict[str, Any]) -> None:
    """Set up logging; Django calls this with the setting LOGGING."""
    logging.config.dictConfig(config)
    structlog.configure(
        processors=[
            *_shared(),
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
