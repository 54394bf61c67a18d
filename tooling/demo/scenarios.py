"""What the demo tries, and how each must end."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from inventory.services import receive_stock
from payments.models import Payment
from payments.services import money_of
from sagas.models import AT_REST, Saga
from tooling.demo.aftersales import cancelled_afterwards, given_back_in_part
from tooling.demo.evidence import Outcome, Witnesses
from tooling.demo.outcomes import BLUE_MUG, BOWL, TEAPOT, UNDONE, completed
from tooling.demo.shopper import Placed, Refused, Shopper, watch
from tooling.local.instance import free_port
from tooling.local.stack import Ports, mailcatcher, web
from tooling.local.supervisor import Supervisor

_RACES_AT_THE_MOST = 10


def _same(placed: Placed) -> Placed:
    return placed


@dataclass
class Row:
    """One line of the table: what was tried, what became of it, and what is wrong with that."""

    tried: str
    outcome: Outcome | None = None
    seconds: float = 0.0
    note: str = ""
    faults: list[str] = field(default_factory=list)


@dataclass
class Demo:
    """The running system, a shopper and the witnesses."""

    supervisor: Supervisor
    ports: Ports
    shopper: Shopper
    witnesses: Witnesses
    journal: Path
    say: Callable[[str], None]

    def run(self) -> list[Row]:
        """Try everything: what does not disturb the others at once, the rest in turn."""
        together = [
            self.all_goes_well,
            self.declined,
            self.reply_lost,
            self.sent_twice,
            self.sold_out,
            self.last_unit,
            self.three_d_secure,
            self.three_d_secure_failed,
            self.late_success,
            partial(cancelled_afterwards, self),
            partial(given_back_in_part, self),
        ]
        in_turn = [self.authorised_first, self.mail_server_down, self.worker_killed]
        with ThreadPoolExecutor(len(together)) as pool:
            rows = [
                row for found in pool.map(lambda scenario: scenario(), together) for row in found
            ]
        for scenario in in_turn:
            rows += scenario()
        return rows

    def all_goes_well(self) -> list[Row]:
        """Nothing happens to it."""
        return [
            self.follow(
                "all goes well",
                lambda: self.buy("MUG-BLUE", quantity=2),
                completed(2 * BLUE_MUG, held=2),
            )
        ]

    def declined(self) -> list[Row]:
        """The card is refused, so stock and order are undone."""
        return [self.follow("card declined", lambda: self.buy("TEAPOT", "tok_declined"), UNDONE)]

    def reply_lost(self) -> list[Row]:
        """The money moves and nobody tells us: we ask, and charge nothing twice."""
        return [
            self.follow(
                "charged, reply lost",
                lambda: self.buy("TEAPOT", "tok_reply_lost"),
                completed(TEAPOT),
            )
        ]

    def sent_twice(self) -> list[Row]:
        """Three equal requests, two of them at the same moment."""
        key = str(uuid4())
        placed: list[Placed] = []

        def thrice() -> Placed:
            with ThreadPoolExecutor(2) as pool:
                placed.extend(pool.map(lambda _: self.buy("TEAPOT", key=key), range(2)))
            placed.append(self.buy("TEAPOT", key=key))
            return placed[0]

        row = self.follow("same request 3 times", thrice, completed(TEAPOT))
        if len({each.checkout_id for each in placed}) != 1:
            row.faults.append("equal requests made several checkouts")
        return [row]

    def sold_out(self) -> list[Row]:
        """What is visibly out of stock is refused before anything is begun."""
        row = Row("sold out, seen at once")
        begun = time.monotonic()
        try:
            self.buy("SOLD-OUT")
            row.faults.append("a sold-out product was accepted")
        except Refused as refused:
            row.note = f"409 {refused.problem['type'].rpartition('/')[2]}"
            if refused.problem["status"] != 409 or "insufficient-stock" not in row.note:
                row.faults.append(f"refused with {refused}")
        row.seconds = time.monotonic() - begun
        return [row]

    def last_unit(self) -> list[Row]:
        """Two shoppers want the last unit; both are accepted, one of them gets it."""
        placed: list[Placed] = []

        def race() -> None:
            barrier = threading.Barrier(2)

            def buy(_: int) -> None:
                barrier.wait()
                with suppress(Refused):
                    placed.append(self.buy("LAST-UNIT"))

            with ThreadPoolExecutor(2) as pool:
                list(pool.map(buy, range(2)))

        for _ in range(_RACES_AT_THE_MOST):
            race()
            if len(placed) == 2:
                break
            # One was refused at once: the other had reserved already. Restock and race again.
            receive_stock(sku="LAST-UNIT", quantity=1)
            placed.clear()
        else:
            return [Row("out of stock", faults=["the two shoppers never met"])]
        rows = [self.follow("", partial(_same, each), None) for each in placed]
        rows.sort(key=lambda row: row.outcome is not None and row.outcome.state != "COMPLETE")
        names = ("last unit, the faster", "out of stock, the other")
        for row, name, must in zip(rows, names, (completed(BOWL), UNDONE), strict=True):
            row.tried = name
            if row.outcome is not None:
                row.faults += must.differences(row.outcome)
        return rows

    def three_d_secure(self) -> list[Row]:
        """The bank asks the shopper; the checkout waits, a webhook lets it go on."""
        return [
            self.follow(
                "3-D Secure, the shopper agrees",
                lambda: self.authenticate("success"),
                completed(TEAPOT),
            )
        ]

    def three_d_secure_failed(self) -> list[Row]:
        """The shopper says no on the bank's page."""
        return [
            self.follow(
                "3-D Secure, the shopper says no", lambda: self.authenticate("failure"), UNDONE
            )
        ]

    def late_success(self) -> list[Row]:
        """The bank takes the money after it accepted the cancel; a webhook tells, it goes back."""

        def undone_and_charged_all_the_same() -> Placed:
            placed = self.buy("TEAPOT", "tok_success_after_decline_2")
            watch(
                lambda: money_of(saga_id=placed.checkout_id).refunded,
                until=lambda refunded: refunded == TEAPOT,
                what="the refund of a late charge",
            )
            return placed

        must = replace(UNDONE, charged=TEAPOT, refunded=TEAPOT)
        return [self.follow("charged after the undo", undone_and_charged_all_the_same, must)]

    def authorised_first(self) -> list[Row]:
        """The bank holds the money; it is taken once the order stands, or freed without a fee."""
        ports = replace(self.ports, web=free_port())
        self.supervisor.start(web(ports, charge_mode="authorise"))
        self.supervisor.wait_ready()
        usual, self.shopper = self.shopper, Shopper(f"http://127.0.0.1:{ports.web}/api/v1")
        try:
            captured = self.follow(
                "authorised, then captured", lambda: self.buy("TEAPOT"), completed(TEAPOT)
            )
            must = replace(UNDONE, status="cancelled")
            voided = self.follow("authorised, then cancelled", self.cancel_in_time, must)
        finally:
            self.shopper = usual
            self.supervisor.stop("web-authorise")
        return [captured, voided]

    def cancel_in_time(self) -> Placed:
        """Cancel a checkout while its shopper has not authenticated yet."""
        placed = self.buy("TEAPOT", "tok_requires_action")
        self.needs_action(placed)
        self.shopper.cancel(placed)
        return placed

    def authenticate(self, outcome: str) -> Placed:
        """Buy with a card whose bank asks, and answer on the bank's page."""
        placed = self.buy("TEAPOT", "tok_requires_action")
        self.shopper.answer_the_bank(self.needs_action(placed)["url"], outcome)
        return placed

    def needs_action(self, placed: Placed) -> dict[str, Any]:
        """Wait until the API says what the shopper has to do, and return it."""
        standing = watch(
            lambda: self.shopper.look(placed),
            until=lambda seen: seen["status"] == "requires_action",
            what="something for the shopper to do",
        )
        action: dict[str, Any] = standing["next_action"]
        return action

    def mail_server_down(self) -> list[Row]:
        """Money and order are settled; the mail is sent again until it gets through."""
        self.supervisor.stop("mail")

        def while_down() -> Placed:
            placed = self.buy("TEAPOT")
            watch(
                lambda: self.saga(placed.checkout_id),
                until=lambda saga: saga.error_step == "send_confirmation",
                what="a failed mail",
            )
            self.say("  the mail server comes back")
            self.supervisor.start(mailcatcher(self.witnesses.mails, self.ports))
            return placed

        return [self.follow("mail server down, then up", while_down, completed(TEAPOT))]

    def worker_killed(self) -> list[Row]:
        """The provider has the charge in hand when the worker that asked for it dies."""

        def killed_in_the_charge() -> Placed:
            placed = self.buy("TEAPOT", "tok_slow_2")
            watch(lambda: self.confirm_arrived(placed.checkout_id), until=bool, what="the charge")
            self.say("  the worker is killed (SIGKILL), the charge is under way")
            self.supervisor.kill("outside")
            return placed

        row = self.follow("worker killed in the charge", killed_in_the_charge, completed(TEAPOT))
        saga = Saga.objects.using("default").filter(runs__outcome="lost").first()
        if saga is None:
            row.faults.append("no attempt was lost, so nothing was killed in time")
        return [row]

    def buy(
        self, sku: str, token: str = "tok_success", *, quantity: int = 1, key: str = ""
    ) -> Placed:
        """Post a checkout."""
        return self.shopper.place(sku, token=token, quantity=quantity, key=key)

    def follow(self, tried: str, place: Callable[[], Placed], must: Outcome | None) -> Row:
        """Place a checkout, wait for its rest and its mail, and check it against what must be."""
        row = Row(tried)
        begun = time.monotonic()
        try:
            placed = place()
            watch(
                lambda: self.saga(placed.checkout_id),
                until=lambda saga: saga.state in AT_REST and saga.due_at is None,
                what=f"{tried}: an end",
            )
            row.seconds = time.monotonic() - begun
            standing = self.shopper.look(placed)
            row.outcome = self.witnesses.outcome(placed.checkout_id, standing)
            row.faults += self.witnesses.contradictions(placed.checkout_id, standing)
            if must is not None:
                row.faults += must.differences(row.outcome)
        except (TimeoutError, Refused) as error:
            row.faults.append(str(error))
        if tried:
            self.say(f"  {tried}: {row.outcome.state if row.outcome else 'no end'}")
        return row

    def saga(self, checkout_id: UUID) -> Saga:
        """Read the saga's row."""
        return Saga.objects.using("default").get(pk=checkout_id)

    def confirm_arrived(self, checkout_id: UUID) -> bool:
        """Tell whether the provider has begun to charge this checkout."""
        payment = Payment.objects.using("payments").filter(saga_id=checkout_id).first()
        if payment is None or not payment.provider_ref:
            return False
        events = [json.loads(line) for line in self.journal.read_text().splitlines()]
        path = f"/v1/payment_intents/{payment.provider_ref}/confirm"
        return any(event["event"] == "request" and event["path"] == path for event in events)
