"""The control plane's rows: the saga, its history, and what people do to it."""

from sagas.models.audit import AuditRun, Finding
from sagas.models.chaos import Disturbance, DisturbedAttempt, Fault
from sagas.models.history import Heartbeat, StepRun
from sagas.models.oversight import (
    ActionOutcome,
    Approval,
    Assignment,
    BulkItem,
    BulkRun,
    OperatorAction,
    Switch,
    SwitchLog,
)
from sagas.models.saga import (
    AT_REST,
    COMPENSATED,
    COMPENSATING,
    COMPLETE,
    DATABASE,
    FAILED,
    PENDING,
    Direction,
    Outcome,
    Parked,
    Saga,
    new_saga_id,
)

__all__ = [
    "AT_REST",
    "COMPENSATED",
    "COMPENSATING",
    "COMPLETE",
    "DATABASE",
    "FAILED",
    "PENDING",
    "ActionOutcome",
    "Approval",
    "Assignment",
    "AuditRun",
    "BulkItem",
    "BulkRun",
    "Direction",
    "Disturbance",
    "DisturbedAttempt",
    "Fault",
    "Finding",
    "Heartbeat",
    "OperatorAction",
    "Outcome",
    "Parked",
    "Saga",
    "StepRun",
    "Switch",
    "SwitchLog",
    "new_saga_id",
]
