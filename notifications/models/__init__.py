"""The rows of notifications: mails, notices, webhooks, and what keeps their effects single."""

from notifications.models.message import TOUCHED_AT, Kind, Message, Status
from notifications.models.notice import Notice, NoticeStatus, Topic
from notifications.models.proofs import DATABASE, InboxEntry, OutboxEvent, Receipt
from notifications.models.webhooks import (
    DeliveryStatus,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)

__all__ = [
    "DATABASE",
    "TOUCHED_AT",
    "DeliveryStatus",
    "InboxEntry",
    "Kind",
    "Message",
    "Notice",
    "NoticeStatus",
    "OutboxEvent",
    "Receipt",
    "Status",
    "Topic",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
