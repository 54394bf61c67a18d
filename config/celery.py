"""The Celery app: JSON only, no result backend, late acks, bounded publishing."""

import gc
import os
import time
from typing import Any

from celery import Celery, signals
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings
from django.db import close_old_connections, connections

from config import half_read, redis_transport

redis_transport.install()
half_read.install()
app = Celery("makegood")

_AMQP = settings.BROKER_IS_AMQP


def queue(name: str, *, amqp: bool = _AMQP) -> Queue:
    """Declare one queue; on RabbitMQ a replicated one that keeps what it cannot deliver.

    Whoever else publishes to it has to declare it the same, or RabbitMQ refuses.
    """
    arguments = (
        {
            "x-queue-type": "quorum",
            # RabbitMQ 4 drops a message after 20 deliveries; this keeps it to be looked at.
            "x-dead-letter-exchange": "makegood.dead",
            "x-dead-letter-routing-key": "dead",
        }
        if amqp
        else None
    )
    return Queue(name, Exchange(name), routing_key=name, queue_arguments=arguments)


def _queues() -> list[Queue]:
    queues = [queue(name) for name in settings.CELERY_QUEUES]
    if _AMQP:
        queues.append(Queue("dead", Exchange("makegood.dead"), routing_key="dead"))
    return queues


def _transport_options() -> dict[str, Any]:
    if _AMQP:
        # The broker confirms each publish; without it a full disk loses messages silently.
        return {
            "confirm_publish": True,
            "connect_timeout": 2,
            "read_timeout": 5,
            "write_timeout": 5,
        }
    return {
        "visibility_timeout": settings.BROKER_VISIBILITY_TIMEOUT,
        # Without these two, work of a killed worker comes back only after minutes.
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 2,
        "socket_timeout": 5,
    }


app.conf.update(
    broker_url=settings.BROKER_URL,
    broker_transport_options=_transport_options(),
    broker_connection_timeout=2,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_pool_limit=10,
    # A publish fails at once when the broker is away: the row is committed, recovery resends.
    task_publish_retry=False,
    task_serializer="json",
    accept_content=["json"],
    result_backend=None,
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_queues=_queues(),
    task_default_queue="recovery",
    task_create_missing_queues=False,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    beat_scheduler="django_celery_beat.schedulers:DatabaseScheduler",
    timezone="UTC",
    enable_utc=True,
)
# Celery's Django fixup would close all five connections around every task (and whole pools
# in prefork workers); the hooks below check them instead, by Django's own rules.
app.conf["CELERY_DB_REUSE_MAX"] = 2**62
app.autodiscover_tasks()
app.autodiscover_tasks(related_name="recovery")
app.autodiscover_tasks(related_name="bulk")
app.autodiscover_tasks(["sagas.audit", "sagas.events"])


#: Seconds for which a connection that was looked at is taken to be well.
_LOOKED_AT_FOR = 1.0
_look_again_at = 0.0


@signals.task_prerun.connect
@signals.task_postrun.connect
def _refresh_connections(**_: Any) -> None:
    """Let Django look at the connections again, which costs a query each; not after every task."""
    global _look_again_at  # noqa: PLW0603  (one a process, as the connections are)
    now = time.monotonic()
    failed = any(each.errors_occurred for each in connections.all(initialized_only=True))
    if failed or now >= _look_again_at:
        close_old_connections()
        _look_again_at = now + _LOOKED_AT_FOR


@signals.worker_process_init.connect
def _freeze_what_is_loaded(**_: Any) -> None:
    """Let the collector pass over the modules, which are most of a child's objects and all stay."""
    gc.freeze()


@signals.setup_logging.connect
def _use_django_logging(**_: Any) -> None:
    """Keep Celery from installing its own handlers: settings.LOGGING serves all processes."""
