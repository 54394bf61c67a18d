"""The system under test in one process: its real code, databases, bank and mail server."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

from celery import current_app

from inventory.services import add_product
from notifications.tests.conftest import MailServer
from sagas import recovery
from sagas.checkout.tests.shopping import Shopper
from tests.model import laws, outside
from tests.model.broker import Broker, Message
from tests.model.faults import Fault, Process
from tests.model.outside import Bank
from tests.model.reality import Reality, Row, look, sagas_of

PRICE = 1250
#: Units on hand of each product: so few that carts fight over them.
ON_HAND = (2, 3)
#: How often a shopper repeats a request that ought to have been answered.
_TRIES = 3


class Placed:
    """One request of a shopper, who may send it again under the same key."""

    def __init__(self, key: str, lines: Sequence[Mapping[str, Any]], token: str) -> None:
        self.key, self.lines, self.token = key, lines, token
        #: The answer that accepted it, and the last one.
        self.answer: Any = None
        self.last: Any = None

    def send(self) -> Any:
        """Post it and keep the first answer by which it was accepted."""
        answer = Shopper().place(
            key=self.key, lines=[dict(line) for line in self.lines], payment_token=self.token
        )
        self.last = answer
        if answer.status_code in (201, 202):
            if self.answer is not None:
                assert answer.json()["id"] == self.answer.json()["id"], "one key, two checkouts"
            self.answer = answer
        return answer

    def look(self) -> dict[str, Any]:
        """Return how the checkout stands, as its shopper reads it."""
        standing: dict[str, Any] = Shopper().look(self.answer).json()
        return standing

    def cancel(self) -> Any:
        """Ask for the checkout to be undone."""
        return Shopper().cancel(self.answer)


class Shop:
    """One run: its own products, requests and books; messages wait in a bag until a rule acts."""

    def __init__(self, broker: Broker, bank: Bank, post: MailServer) -> None:
        self.broker, self.bank, self.post = broker, bank, post
        outside.put_the_rest_aside()
        broker.take()
        bank.open_new_books()
        post.mails.clear()
        self.answer_normally()
        self.run_id = uuid4().hex
        self.skus = [f"{self.run_id}-{n}" for n in range(len(ON_HAND))]
        for sku, on_hand in zip(self.skus, ON_HAND, strict=True):
            add_product(
                sku=sku, name="Mug", description="", price=PRICE, currency="EUR", on_hand=on_hand
            )
        self.bag: list[Message] = []
        #: What was delivered before, to be delivered again, stale.
        self.past: list[Message] = []
        self.frozen: list[Process] = []
        self.requests: list[Placed] = []
        #: How often a mail may have come once more: a crash hit the conversation, or staff asked.
        self.spare_mails = 0
        self.before = self.look()

    # Looking ------------------------------------------------------------------------------

    def look(self) -> Reality:
        """Return how everything stands."""
        keys = [request.key for request in self.requests]
        return look(keys=keys, skus=self.skus, bank=self.bank, post=self.post)

    def sagas(self) -> list[Row]:
        """Return the sagas of this run, the oldest first."""
        return sagas_of([request.key for request in self.requests])

    def check(self) -> None:
        """Compare with how everything stood at the last check."""
        now = self.look()
        for request in self.requests:
            if request.answer is not None:
                accepted = UUID(request.answer.json()["id"])
                assert accepted in now.checkouts, f"{accepted} was accepted, and there is no saga"
        laws.always(self.before, now, spare_mails=self.spare_mails)
        self.before = now

    # Acting -------------------------------------------------------------------------------

    def run(self, act: Callable[[], object], fault: Fault | None = None) -> Process:
        """Let one process act, and catch what it publishes."""
        process = Process(act, fault).start()
        if process.is_frozen:
            self.frozen.append(process)
        self._after(process)
        return process

    def thaw(self, process: Process) -> None:
        """Let a frozen process go on to its end."""
        self.frozen.remove(process)
        process.thaw()
        self._after(process)

    def place(self, request: Placed, fault: Fault | None = None) -> None:
        """Let a shopper send a request, for the first time or again."""
        if request not in self.requests:
            self.requests.append(request)
        self.run(request.send, fault)
        if fault is None:
            self._insist(request)

    def deliver(self, message: Message, fault: Fault | None = None, *, again: bool = False) -> None:
        """Let a worker run a message; ``again``: if the worker dies, the message comes back."""
        stale_as = self._revision_if_stale(message)
        process = self.run(lambda: self._work_on(message), fault)
        if process.died and again:
            self.bag.append(message)
        self.past.append(message)
        if stale_as is not None:
            revision = self._saga_of(message).revision
            assert revision == stale_as, f"a stale message changed a saga: {message}"

    def deliver_next_of(self, saga_id: UUID) -> None:
        """Let a worker run the oldest message of a saga, if there is one."""
        for message in self.bag:
            if message.arguments.get("saga_id") == str(saga_id):
                self.bag.remove(message)
                self.deliver(message)
                return

    def tick(self, fault: Fault | None = None) -> None:
        """Let the periodic recovery run once."""
        current_app.send_task(recovery.recover_task.name, queue="recovery")
        (message,) = self.broker.take()
        self.run(lambda: self._work_on(message), fault)

    def sweep(self, fault: Fault | None = None) -> None:
        """Let the search for late successes run once."""
        current_app.send_task("payments.sweep_late_successes", queue="payments")
        (message,) = self.broker.take()
        self.run(lambda: self._work_on(message), fault)

    def answer_normally(self) -> None:
        """Let the mail server take every mail from now on."""
        self.post.data_replies.clear()
        self.post.rcpt_replies.clear()
        self.post.deaths = 0

    def _insist(self, request: Placed) -> None:
        """Send again what the API could not answer although nothing was made to fail, as it says.

        A busy machine may keep a database from answering in time; the rules need the checkout.
        """
        for _ in range(_TRIES):
            if request.last.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                return
            warnings.warn(f"no answer, for no fault: {request.last.content!r}", stacklevel=2)
            self.run(request.send)
        assert request.last.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, request.last.content

    def _saga_of(self, message: Message) -> Row:
        saga_id = UUID(message.arguments["saga_id"])
        return next(saga for saga in self.sagas() if saga.id == saga_id)

    def _work_on(self, message: Message) -> None:
        error = self.broker.run(message)
        if error is not None:
            raise error

    def _after(self, process: Process) -> None:
        if process.struck.startswith("notifications."):
            self.spare_mails += 1
        if process.error is not None and not process.struck:
            raise AssertionError("an error that nobody caused") from process.error
        self.bag += self.broker.take()
        outside.stretch_waits([saga.id for saga in self.sagas()])

    def _revision_if_stale(self, message: Message) -> int | None:
        """Return the row's revision if the row does not wait for this message, else None."""
        if "step" not in message.arguments:
            return None
        saga = self._saga_of(message)
        waits = (
            saga.epoch == message.arguments["epoch"]
            and not saga.parked
            and saga.claimed_at is None
            and message.arguments["step"] in _awaited(saga, message.task)
        )
        return None if waits else saga.revision


def _awaited(saga: Row, task: str) -> Sequence[str]:
    """Return the steps that the row waits for from a task, by the table of the design."""
    match task:
        case "sagas.do_step":
            return [laws.NEXT_STEP[saga.state]] if saga.state in laws.NEXT_STEP else []
        case "sagas.undo_step" if saga.state == "COMPENSATING":
            undos = ("charge_payment", "reserve_inventory", "create_order")
            reached = laws.FORWARD.index(saga.reached)
            left = [
                step
                for step in undos
                if list(laws.NEXT_STEP.values()).index(step) <= reached
                and step not in saga.undone
                and step not in saga.given_up
            ]
            return left[:1]
        case "sagas.follow_up" if saga.state == "COMPENSATED" and saga.due_at is not None:
            return ["send_apology"]
    return []
