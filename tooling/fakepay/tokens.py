"""The test tokens: what each payment method makes the provider do."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """How an answer goes wrong."""

    NONE = "none"
    ERROR_BEFORE = "500, and nothing was done"
    ERROR_AFTER = "500, although it was done"
    REPLY_LOST = "done, then the connection drops without an answer"
    REFUSED = "a definite no"


@dataclass(frozen=True, kw_only=True)
class Misstep:
    """A fault in a call: on the first call of an intent only, or on every one."""

    fault: Fault = Fault.NONE
    always: bool = False

    def on(self, call: int) -> Fault:
        """Return the fault of the ``call``-th call (1 is the first)."""
        return self.fault if self.always or call == 1 else Fault.NONE


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What a confirm, a cancel and a refund do with this payment method; times in seconds."""

    decline_code: str = ""
    confirm: Misstep = Misstep()
    #: The confirm takes this long; capture and answer come at its end.
    slow: float = 0.0
    #: The confirm answers ``processing``; the bank's word comes this much later.
    late: float | None = None
    #: The shopper has to authenticate (3-D Secure) before the bank decides.
    authenticates: bool = False
    #: Of an intent that is captured by hand.
    capture: Misstep = Misstep()
    cancel: Misstep = Misstep()
    #: A cancel is accepted, and the bank captures all the same this much later.
    captures_after_cancel: float | None = None
    refund: Misstep = Misstep()
    #: The refund answers ``pending``; the bank's word comes this much later.
    refund_late: float | None = None
    refund_fails: bool = False


@dataclass(frozen=True, kw_only=True)
class Token:
    """One row of the table: its meaning in words, and as a behaviour of its seconds."""

    meaning: str
    behaves: Callable[[float], Behaviour]


def _always(behaviour: Behaviour) -> Callable[[float], Behaviour]:
    return lambda _: behaviour


def _confirm(fault: Fault, *, always: bool = False) -> Callable[[float], Behaviour]:
    return _always(Behaviour(confirm=Misstep(fault=fault, always=always)))


def _capture(fault: Fault, *, always: bool = False) -> Callable[[float], Behaviour]:
    return _always(Behaviour(capture=Misstep(fault=fault, always=always)))


def _cancel(fault: Fault) -> Callable[[float], Behaviour]:
    # The confirm comes to nothing, so that there is something to cancel.
    never = Misstep(fault=Fault.ERROR_BEFORE, always=True)
    return _always(Behaviour(confirm=never, cancel=Misstep(fault=fault)))


def _refund(fault: Fault, *, always: bool = False) -> Callable[[float], Behaviour]:
    return _always(Behaviour(refund=Misstep(fault=fault, always=always)))


#: Token without its seconds -> what it does. A trailing ``_2`` or ``_0.5`` gives the seconds.
TOKENS: Mapping[str, Token] = {
    "tok_success": Token(meaning="captured at once", behaves=_always(Behaviour())),
    "tok_declined": Token(
        meaning="402 card_declined, decline code generic_decline",
        behaves=_always(Behaviour(decline_code="generic_decline")),
    ),
    "tok_insufficient_funds": Token(
        meaning="402 card_declined, decline code insufficient_funds",
        behaves=_always(Behaviour(decline_code="insufficient_funds")),
    ),
    "tok_reply_lost": Token(
        meaning="captured, then the connection drops without an answer, once",
        behaves=_confirm(Fault.REPLY_LOST),
    ),
    "tok_500_before": Token(
        meaning="500 before the capture, once; a new key gets through",
        behaves=_confirm(Fault.ERROR_BEFORE),
    ),
    "tok_500_always": Token(
        meaning="500 before the capture, every time",
        behaves=_confirm(Fault.ERROR_BEFORE, always=True),
    ),
    "tok_500_after": Token(meaning="captured, then 500", behaves=_confirm(Fault.ERROR_AFTER)),
    "tok_requires_action": Token(
        meaning="the shopper authenticates (3-D Secure); then captured",
        behaves=_always(Behaviour(authenticates=True)),
    ),
    "tok_requires_action_declined": Token(
        meaning="the shopper authenticates (3-D Secure); then declined",
        behaves=_always(Behaviour(authenticates=True, decline_code="generic_decline")),
    ),
    "tok_requires_action_reply_lost": Token(
        meaning="the same as tok_requires_action, and the answer to the confirm is lost",
        behaves=_always(Behaviour(authenticates=True, confirm=Misstep(fault=Fault.REPLY_LOST))),
    ),
    "tok_capture_500_once": Token(
        meaning="authorised; the first capture is a 500 and does nothing",
        behaves=_capture(Fault.ERROR_BEFORE),
    ),
    "tok_capture_500_after": Token(
        meaning="authorised; the first capture is made and answered by a 500",
        behaves=_capture(Fault.ERROR_AFTER),
    ),
    "tok_capture_reply_lost": Token(
        meaning="authorised; the first capture is made and its answer is lost",
        behaves=_capture(Fault.REPLY_LOST),
    ),
    "tok_capture_refused": Token(
        meaning="authorised; the authorisation has expired when it is captured",
        behaves=_capture(Fault.REFUSED, always=True),
    ),
    "tok_cancel_500_once": Token(
        meaning="each confirm 500; the first cancel is a 500 and does nothing",
        behaves=_cancel(Fault.ERROR_BEFORE),
    ),
    "tok_cancel_reply_lost": Token(
        meaning="each confirm 500; cancelled, then the answer is lost",
        behaves=_cancel(Fault.REPLY_LOST),
    ),
    "tok_slow": Token(
        meaning="tok_slow_N: captured after N seconds, answered then",
        behaves=lambda seconds: Behaviour(slow=seconds),
    ),
    "tok_late_success": Token(
        meaning="tok_late_success_N: answers processing, captured N seconds later",
        behaves=lambda seconds: Behaviour(late=seconds),
    ),
    "tok_late_decline": Token(
        meaning="tok_late_decline_N: answers processing, declined N seconds later",
        behaves=lambda seconds: Behaviour(late=seconds, decline_code="generic_decline"),
    ),
    "tok_success_after_cancel": Token(
        meaning="tok_success_after_cancel_N: each confirm 500; captured N seconds after a cancel",
        behaves=lambda seconds: Behaviour(
            confirm=Misstep(fault=Fault.ERROR_BEFORE, always=True), captures_after_cancel=seconds
        ),
    ),
    "tok_success_after_decline": Token(
        meaning="tok_success_after_decline_N: declined; captured N seconds after a cancel",
        behaves=lambda seconds: Behaviour(
            decline_code="generic_decline", captures_after_cancel=seconds
        ),
    ),
    "tok_refund_500_once": Token(
        meaning="captured; the first refund is a 500 and does nothing",
        behaves=_refund(Fault.ERROR_BEFORE),
    ),
    "tok_refund_500_after": Token(
        meaning="captured; the first refund is made and answered by a 500",
        behaves=_refund(Fault.ERROR_AFTER),
    ),
    "tok_refund_reply_lost": Token(
        meaning="captured; the first refund is made and its answer is lost",
        behaves=_refund(Fault.REPLY_LOST),
    ),
    "tok_refund_refused": Token(
        meaning="captured; every refund is refused",
        behaves=_refund(Fault.REFUSED, always=True),
    ),
    "tok_refund_refused_once": Token(
        meaning="captured; the first refund is refused, the next one gets through",
        behaves=_refund(Fault.REFUSED),
    ),
    "tok_refund_late": Token(
        meaning="tok_refund_late_N: captured; a refund is pending, and through N seconds later",
        behaves=lambda seconds: Behaviour(refund_late=seconds),
    ),
    "tok_refund_fails": Token(
        meaning="tok_refund_fails_N: captured; a refund is pending, and fails N seconds later",
        behaves=lambda seconds: Behaviour(refund_late=seconds, refund_fails=True),
    ),
}

_WITH_SECONDS = re.compile(r"(?P<name>tok_[a-z0-9_]*[a-z])_(?P<seconds>\d{1,4}(?:\.\d{1,3})?)")


def behaviour_of(token: str) -> Behaviour | None:
    """Return what ``token`` does, or None when there is no such payment method."""
    if token in TOKENS:
        return TOKENS[token].behaves(0.0)
    timed = _WITH_SECONDS.fullmatch(token)
    if timed and timed["name"] in TOKENS:
        return TOKENS[timed["name"]].behaves(float(timed["seconds"]))
    return None
