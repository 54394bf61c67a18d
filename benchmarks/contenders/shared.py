"""What every contender does in the same way: what is bought, the calls outside, its commands.

Needs httpx only, as a contender may run in an environment of its own.
"""

import json
import os
import sys
from collections.abc import Callable
from email.message import EmailMessage
from smtplib import SMTP

import httpx

SKUS = ("MUG-BLUE", "TEAPOT", "TOWEL")
PRICE = 1500

_provider = httpx.Client(
    base_url=os.environ["FAKE_PROVIDER_URL"],
    headers={"Authorization": "Bearer sk_test_fakepay"},
    timeout=5.0,
    trust_env=False,
)


def lines(number: int) -> list[tuple[str, int]]:
    """Return the SKUs and units of the checkout of this number."""
    return [(SKUS[number % len(SKUS)], 1), (SKUS[(number + 1) % len(SKUS)], 2)]


def make_intent(checkout_id: str, amount: int) -> str:
    """Make the provider's intent over ``amount`` minor units, and return its id."""
    form = {"amount": str(amount), "currency": "eur", "metadata[payment_id]": checkout_id}
    return str(_post("/v1/payment_intents", f"{checkout_id}-intent", form)["id"])


def confirm_intent(checkout_id: str, ref: str) -> None:
    """Charge the card; RuntimeError if the provider does not say that it is charged."""
    card = {
        "payment_method_data[type]": "card",
        "payment_method_data[card][token]": "tok_success",
    }
    confirmed = _post(f"/v1/payment_intents/{ref}/confirm", f"{checkout_id}-charge", card)
    if confirmed["status"] != "succeeded":
        raise RuntimeError(f"the charge is {confirmed['status']}")


def send_mail(checkout_id: str) -> None:
    """Hand the confirmation to the mail server."""
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "Confirmed", "shop@localhost", "ada@example.org"
    mail["Message-ID"] = f"<{checkout_id}@localhost>"
    mail.set_content(f"Your order {checkout_id} is confirmed.")
    host, port = os.environ["MAIL_ADDRESS"].rsplit(":", 1)
    with SMTP(host, int(port), timeout=8) as server:
        server.send_message(mail)


def serve(run: Callable[[int], float]) -> None:
    """Say ``ready``, then answer ``run N`` and ``each N`` until the input ends.

    Args:
        run: completes so many checkouts, and returns the seconds that it took.
    """
    print("ready", flush=True)
    for line in sys.stdin:
        verb, number = line.split()
        if verb == "each":
            told: dict[str, object] = {"each": [run(1) for _ in range(int(number))]}
        else:
            told = {"seconds": run(int(number))}
        print(json.dumps(told), flush=True)


def _post(path: str, key: str, form: dict[str, str]) -> dict[str, object]:
    answer = _provider.post(path, data=form, headers={"Idempotency-Key": key})
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found
