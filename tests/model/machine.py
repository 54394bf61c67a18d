"""The rules: everything that can happen to checkouts, in any order. Hypothesis chooses."""

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sagas import verbs
from sagas.evidence import CannotAsk, NotConfirmed
from sagas.mandates import Mandate
from sagas.operations import NotNow, TooLate
from sagas.tests.conftest import NOBODY
from tests.model import outside
from tests.model.faults import Fault, How
from tests.model.rest import come_to_rest
from tests.model.shop import ON_HAND, Placed, Shop

#: Moments up to a worker's first commit, those that any process passes, and all of the longest.
_FIRST_MOMENTS, _MOMENTS, _MOST_MOMENTS = 3, 8, 22
_MOST_CHECKOUTS = 4

WHICH = st.integers(0, 7)
MOMENT = st.integers(0, _FIRST_MOMENTS) | st.integers(0, _MOMENTS) | st.integers(0, _MOST_MOMENTS)
FAULT = st.builds(Fault, how=st.sampled_from(How), at=MOMENT)
MAYBE = st.none() | FAULT
CART = st.lists(st.integers(0, len(ON_HAND) - 1), min_size=1, max_size=min(ON_HAND))
TOKEN = st.just("tok_success") | st.sampled_from(outside.PAYMENT_TOKENS)

_BY_HAND = Mandate(operator=None, reason="the bank says so", reference="bank 17")
VERBS: dict[str, Callable[[UUID], object]] = {
    "retry": lambda pk: verbs.retry(pk, mandate=NOBODY),
    "compensate": lambda pk: verbs.compensate(pk, mandate=NOBODY),
    "compensate past the pivot": lambda pk: verbs.compensate(pk, mandate=NOBODY, past_pivot=True),
    "pause": lambda pk: verbs.pause(pk, mandate=NOBODY),
    "resume": lambda pk: verbs.resume(pk, mandate=NOBODY),
    "ask the provider": lambda pk: verbs.ask(pk, mandate=NOBODY),
    "mail again": lambda pk: verbs.mail_again(pk, mandate=NOBODY),
    "resolve by hand": lambda pk: verbs.resolve(pk, mandate=_BY_HAND),
}
#: Who takes a saga away from a worker that stands still.
OVERTAKERS = ("recovery", "compensate past the pivot")
#: What a verb may answer instead of doing anything.
_NO = (NotNow, TooLate, CannotAsk, NotConfirmed)


class Checkouts(RuleBasedStateMachine):
    """One run. ``open_shop`` is set by the test."""

    open_shop: ClassVar[Callable[[], Shop]]

    def __init__(self) -> None:
        super().__init__()
        self.shop = type(self).open_shop()

    # Shoppers -----------------------------------------------------------------------------

    @initialize(cart=CART, token=TOKEN)
    def open_with(self, cart: list[int], token: str) -> None:
        self._place(cart, token, None)

    @precondition(lambda self: len(self.shop.requests) < _MOST_CHECKOUTS)
    @rule(cart=CART, token=TOKEN, fault=MAYBE)
    def place(self, cart: list[int], token: str, fault: Fault | None) -> None:
        self._place(cart, token, fault)

    @rule(which=WHICH, fault=MAYBE)
    def send_again(self, which: int, fault: Fault | None) -> None:
        self.shop.place(_pick(self.shop.requests, which), fault)

    @rule(which=WHICH, fault=MAYBE)
    def cancel(self, which: int, fault: Fault | None) -> None:
        request = _pick(self.shop.requests, which)
        if request.answer is not None:
            self.shop.run(request.cancel, fault)

    # Workers ------------------------------------------------------------------------------

    @precondition(lambda self: self.shop.bag)
    @rule(count=st.integers(1, 6))
    def work(self, count: int) -> None:
        for _ in range(count):
            if self.shop.bag:
                self.shop.deliver(self.shop.bag.pop(0))

    @precondition(lambda self: self.shop.bag)
    @rule(which=WHICH, fault=FAULT, again=st.booleans())
    def work_in_trouble(self, which: int, fault: Fault, again: bool) -> None:
        message = _pick(self.shop.bag, which)
        self.shop.bag.remove(message)
        self.shop.deliver(message, fault, again=again)

    @precondition(lambda self: self.shop.bag)
    @rule(which=WHICH, at=MOMENT, by=st.sampled_from(OVERTAKERS), count=st.integers(1, 6))
    def freeze_and_be_overtaken(self, which: int, at: int, by: str, count: int) -> None:
        """The races that are rare by chance: a worker stands still while the saga goes on."""
        message = _pick(self.shop.bag, which)
        saga_id = UUID(message.arguments["saga_id"])
        self.shop.bag.remove(message)
        self.shop.deliver(message, Fault(How.FREEZE, at))
        if by == "recovery":
            outside.let_time_pass(saga_id)
            self.shop.tick()
        else:
            self.shop.run(lambda: _ask_for(by, saga_id))
        for _ in range(count):
            self.shop.deliver_next_of(saga_id)

    @precondition(lambda self: self.shop.bag)
    @rule(which=WHICH)
    def deliver_a_copy(self, which: int) -> None:
        self.shop.deliver(_pick(self.shop.bag, which))

    @precondition(lambda self: self.shop.past)
    @rule(which=st.integers(0, 30), fault=MAYBE)
    def deliver_again_what_was_delivered(self, which: int, fault: Fault | None) -> None:
        self.shop.deliver(_pick(self.shop.past, which), fault)

    @precondition(lambda self: self.shop.bag)
    @rule(which=WHICH)
    def lose_a_message(self, which: int) -> None:
        self.shop.bag.remove(_pick(self.shop.bag, which))

    @precondition(lambda self: self.shop.frozen)
    @rule(which=WHICH)
    def thaw(self, which: int) -> None:
        self.shop.thaw(_pick(self.shop.frozen, which))

    # Time ---------------------------------------------------------------------------------

    @rule(which=WHICH, deadline=st.booleans())
    def time_passes(self, which: int, deadline: bool) -> None:
        outside.let_time_pass(_pick(self.shop.sagas(), which).id, deadline=deadline)

    @rule(which=WHICH, fault=MAYBE)
    def time_passes_and_recovery_comes(self, which: int, fault: Fault | None) -> None:
        outside.let_time_pass(_pick(self.shop.sagas(), which).id)
        self.shop.tick(fault)

    @rule(fault=MAYBE)
    def look_for_late_successes(self, fault: Fault | None) -> None:
        outside.let_late_checks_come([saga.id for saga in self.shop.sagas()])
        self.shop.sweep(fault)

    # The outside --------------------------------------------------------------------------

    @rule()
    def the_bank_decides(self) -> None:
        self.shop.bank.let_time_pass()

    @rule(outcome=st.sampled_from(["success", "failure"]))
    def shoppers_answer_their_bank(self, outcome: str) -> None:
        self.shop.bank.shoppers_answer(outcome)

    @rule(reply=st.sampled_from(["451 try later", "550 no such box"]))
    def the_mail_server_answers(self, reply: str) -> None:
        self.shop.post.data_replies.append(reply)

    @rule()
    def the_mail_server_takes_a_mail_and_dies(self) -> None:
        self.shop.spare_mails += 1
        self.shop.post.deaths = 1

    # People -------------------------------------------------------------------------------

    @rule(which=WHICH, verb=st.sampled_from(sorted(VERBS)), fault=MAYBE)
    def operate(self, which: int, verb: str, fault: Fault | None) -> None:
        saga_id = _pick(self.shop.sagas(), which).id
        if verb == "mail again":
            self.shop.spare_mails += 1
        process = self.shop.run(lambda: _ask_for(verb, saga_id), fault)
        event(f"{verb}: {process.struck or process.result}")

    # What must hold -----------------------------------------------------------------------

    @invariant()
    def all_holds(self) -> None:
        self.shop.check()

    def teardown(self) -> None:
        come_to_rest(self.shop)
        for standing in self.shop.before.checkouts.values():
            event(f"ended {standing.saga.state}")

    def _place(self, cart: list[int], token: str, fault: Fault | None) -> None:
        quantities = {n: cart.count(n) for n in sorted(set(cart))}
        lines = [{"sku": self.shop.skus[n], "quantity": q} for n, q in quantities.items()]
        key = f"{self.shop.run_id}-{len(self.shop.requests)}"
        self.shop.place(Placed(key, lines, token), fault)


def _ask_for(verb: str, saga_id: UUID) -> str:
    try:
        VERBS[verb](saga_id)
    except _NO as no:
        return type(no).__name__
    return "done"


def _pick(choices: list[Any], which: int) -> Any:
    return choices[which % len(choices)]
