"""How everything is logged: by structlog, whoever says it; as JSON in production."""

import copy
from typing import Any

import structlog

_CHAIN: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso"),
]
_AS_JSON: list[structlog.types.Processor] = [
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(),
]
_AS_TEXT: list[structlog.types.Processor] = [
    structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
]
_LEVELS: dict[str, Any] = {
    # One line for every request to the provider says nothing that history does not, and the
    # SDK's debug lines would quote what was sent.
    "httpx": {"level": "WARNING"},
    "stripe": {"level": "WARNING"},
    # "received" and "succeeded" for each message: the saga's history has both.
    "celery.worker.strategy": {"level": "WARNING"},
    "celery.app.trace": {"level": "WARNING"},
}
#: Loggers ``<app>.alerts``: what they say waits for a human.
_ALERTING = ("sagas", "sagas.events", "payments", "notifications")


def configured(*, level: str, as_json: bool, mail_alerts: bool) -> dict[str, Any]:
    """Configure structlog, and return Django's LOGGING for all that does not go through it.

    Args:
        level: of the root logger.
        as_json: one object a line; else text for people.
        mail_alerts: whether alerts are mailed to settings.ADMINS as well.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_CHAIN,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "event": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *(_AS_JSON if as_json else _AS_TEXT),
                ],
                "foreign_pre_chain": _CHAIN,
            },
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "event"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": copy.deepcopy(_LEVELS),
    }
    if mail_alerts:
        logging["handlers"]["alerts"] = {
            "class": "django.utils.log.AdminEmailHandler",
            "level": "CRITICAL",
            "formatter": "event",
        }
        logging["loggers"] |= {f"{app}.alerts": {"handlers": ["alerts"]} for app in _ALERTING}
    return logging
