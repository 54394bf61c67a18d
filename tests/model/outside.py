"""What stands around the system in a run: a bank, a post office, and time, which a rule moves."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db import connections, transaction

from notifications.tests.conftest import MailServer
from tooling.fakepay.calls import Calls
from tooling.fakepay.journal import Journal
from tooling.fakepay.provider import Provider
from tooling.fakepay.provoke import authenticate
from tooling.fakepay.server import Server
from tooling.fakepay.tokens import TOKENS

#: Every behaviour of the provider but the slow one, since time is moved here, and those that wait
#: for a shopper: none of the model's goes to their bank.
PAYMENT_TOKENS = tuple(
    f"{name}_3600" if f"{name}_N" in token.meaning else name
    for name, token in TOKENS.items()
    if name != "tok_slow"
)


class _Unwritten(Journal):
    """Nobody kills this provider, so that nothing has to be read again."""

    def __init__(self) -> None:
        pass

    def append(self, event: str, **fields: Any) -> None:
        pass

    def events(self) -> Iterator[dict[str, Any]]:
        return iter(())


class _TimelessCalls(Calls):
    """Does what is owed later when it is told that time has passed, and only then."""

    def _await(self, plan: str, seconds: float) -> None:
        pass


class _Timeless(Provider):
    executor = _TimelessCalls


class Bank:
    """The fake provider over HTTP, in a thread, with a ledger of its own for each run."""

    def __init__(self) -> None:
        self._server = Server(("127.0.0.1", 0), _Timeless(_Unwritten()))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def open_new_books(self) -> None:
        """Forget everything."""
        self._server.provider = _Timeless(_Unwritten())

    def let_time_pass(self) -> None:
        """Carry out whatever is owed later."""
        self._server.provider.advance()

    def shoppers_answer(self, outcome: str) -> None:
        """Every shopper whom their bank asks (3-D Secure) answers it."""
        provider = self._server.provider
        for intent in provider.ledger.newest_first():
            if intent["status"] == "requires_action":
                authenticate(provider, intent["id"], outcome)

    def ledger(self) -> dict[str, Any]:
        """Return all intents, refunds and captures."""
        return self._server.provider.ledger.everything()

    def close(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


def mails_by_id(post: MailServer) -> Counter[str]:
    """Return how often each Message-ID reached the mail server."""
    return Counter(str(mail["Message-ID"]).strip() for mail in post.mails)


# Time ---------------------------------------------------------------------------------------
#
# The databases' clock cannot be moved, so that the rows' times are. The triggers and the fences
# must not notice: time that passes is no write. Waits are stretched beyond the length of any
# run, so that no wait ends by itself, sooner in one play of a run than in the next.

_SAGA_TIMES = """
    UPDATE sagas_saga SET
        lease_until = CASE WHEN lease_until IS NOT NULL THEN updated_at - interval '1 second' END,
        next_attempt_at =
            CASE WHEN next_attempt_at IS NOT NULL THEN updated_at - interval '1 second' END,
        deadline_at = CASE WHEN %s THEN created_at - interval '1 second' ELSE deadline_at END
    WHERE id = %s"""
_STRETCH_SAGAS = """
    UPDATE sagas_saga SET
        lease_until = CASE WHEN lease_until > updated_at
            THEN updated_at + interval '1 day' ELSE lease_until END,
        next_attempt_at = CASE WHEN next_attempt_at > updated_at
            THEN updated_at + interval '1 day' ELSE next_attempt_at END,
        deadline_at = CASE WHEN deadline_at > created_at
            THEN created_at + interval '2 days' ELSE deadline_at END
    WHERE id = ANY(%s)"""


def let_time_pass(saga_id: UUID, *, deadline: bool = False) -> None:
    """Let the saga's lease, its wait and the claim of its mails run out; its deadline if asked."""
    _behind_the_guards("default", _SAGA_TIMES, [deadline, saga_id])
    _behind_the_guards(
        "notifications",
        "UPDATE notifications_message SET claimed_until = created_at WHERE saga_id = %s"
        " AND claimed_until IS NOT NULL",
        [saga_id],
    )


def stretch_waits(saga_ids: Sequence[UUID]) -> None:
    """Let no wait of these sagas end before a rule says so."""
    ids = list(saga_ids)
    _behind_the_guards("default", _STRETCH_SAGAS, [ids])
    _behind_the_guards(
        "notifications",
        "UPDATE notifications_message SET claimed_until = now() + interval '1 day'"
        " WHERE saga_id = ANY(%s) AND claimed_until > now()",
        [ids],
    )
    _behind_the_guards(
        "payments",
        "UPDATE payments_payment SET next_check_at = now() + interval '1 day'"
        " WHERE saga_id = ANY(%s) AND next_check_at > now()",
        [ids],
    )


def let_late_checks_come(saga_ids: Sequence[UUID], *, last: bool = False) -> None:
    """Make the checks for late successes due; with ``last`` the cancels are a day old."""
    age = "interval '25 hours'" if last else "interval '0'"
    _behind_the_guards(
        "payments",
        f"UPDATE payments_payment SET next_check_at = now(), cancelled_at = cancelled_at - {age}"
        " WHERE saga_id = ANY(%s) AND next_check_at IS NOT NULL",
        [list(saga_ids)],
    )


def put_the_rest_aside() -> None:
    """Let nothing that a run left behind, which a failure broke off, be due in the next one."""
    _behind_the_guards(
        "default",
        "UPDATE sagas_saga SET parked = 'paused' WHERE parked = ''"
        " AND (lease_until IS NOT NULL OR next_attempt_at IS NOT NULL)",
        [],
    )
    _behind_the_guards(
        "payments",
        "UPDATE payments_payment SET next_check_at = NULL WHERE next_check_at IS NOT NULL",
        [],
    )


def _behind_the_guards(alias: str, sql: str, parameters: list[Any]) -> None:
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, parameters)
