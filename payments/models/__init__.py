"""The payments' tables; each file has one reason to change."""

from payments.models.event import EventStatus, ProviderEvent, ProviderMovement
from payments.models.operation import UNSETTLED, Kind, OperationStatus, PaymentOperation
from payments.models.outbox import OutboxEvent
from payments.models.payment import (
    DATABASE,
    HELD,
    OPEN,
    REVERSED,
    Payment,
    PaymentAction,
    PaymentMethod,
    Receipt,
    Status,
)
from payments.models.refund import PartialRefund, PartStatus

__all__ = [
    "DATABASE",
    "HELD",
    "OPEN",
    "REVERSED",
    "UNSETTLED",
    "EventStatus",
    "Kind",
    "OperationStatus",
    "OutboxEvent",
    "PartStatus",
    "PartialRefund",
    "Payment",
    "PaymentAction",
    "PaymentMethod",
    "PaymentOperation",
    "ProviderEvent",
    "ProviderMovement",
    "Receipt",
    "Status",
]
