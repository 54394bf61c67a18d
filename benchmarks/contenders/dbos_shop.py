"""The checkout on DBOS Transact: the same domain work, in five databases, as five steps.

Run by ``benchmarks/throughput.py``, in a virtual environment of its own. It prints ``ready`` once
it is warm. Then, for each line ``run N`` on its standard input, it completes N checkouts and prints
how long that took; for ``each N`` it does so one after the other. A step that is run again after a
crash finds its row by the checkout's id. Events and history rows, which our checkout has too, are
left out.
"""

import json
import os
import smtplib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from uuid import uuid4

import httpx
from dbos import DBOS, DBOSConfig
from psycopg_pool import ConnectionPool

_THREADS = int(os.environ.get("DBOS_THREADS", "16"))
_WARM_UP = 50
_SKUS = ("MUG-BLUE", "TEAPOT", "TOWEL")
_PRICE = 1500

_SCHEMA = {
    "orders": """
        CREATE TABLE IF NOT EXISTS orders (
            id uuid PRIMARY KEY, checkout_id text UNIQUE, email text, address text, total bigint,
            currency text, status text, created_at timestamptz DEFAULT now());
        CREATE TABLE IF NOT EXISTS lines (
            id bigserial PRIMARY KEY, order_id uuid REFERENCES orders, sku text, quantity int,
            unit_price bigint);
    """,
    "inventory": """
        CREATE TABLE IF NOT EXISTS stock (
            sku text PRIMARY KEY, on_hand bigint, reserved bigint DEFAULT 0,
            CHECK (on_hand - reserved >= 0));
        CREATE TABLE IF NOT EXISTS reservations (
            id uuid PRIMARY KEY, checkout_id text UNIQUE, created_at timestamptz DEFAULT now());
        CREATE TABLE IF NOT EXISTS reserved (
            id bigserial PRIMARY KEY, reservation_id uuid REFERENCES reservations, sku text,
            quantity int);
        INSERT INTO stock (sku, on_hand)
            VALUES ('MUG-BLUE', 1e9), ('TEAPOT', 1e9), ('TOWEL', 1e9) ON CONFLICT DO NOTHING;
    """,
    "payments": """
        CREATE TABLE IF NOT EXISTS payments (
            id uuid PRIMARY KEY, checkout_id text UNIQUE, amount bigint, currency text, ref text,
            status text, created_at timestamptz DEFAULT now());
    """,
    "notifications": """
        CREATE TABLE IF NOT EXISTS messages (
            id uuid PRIMARY KEY, checkout_id text UNIQUE, recipient text, status text,
            created_at timestamptz DEFAULT now());
    """,
}

_pools: dict[str, ConnectionPool] = {}
_provider = httpx.Client(
    base_url=os.environ["FAKE_PROVIDER_URL"],
    headers={"Authorization": "Bearer sk_test_fakepay"},
    timeout=5.0,
    trust_env=False,
)


@DBOS.step()
def create_order(checkout_id: str, number: int) -> dict[str, object]:
    """Make the order and its two lines."""
    order_id, total = uuid4(), 3 * _PRICE
    with _pools["orders"].connection() as connection:
        made = connection.execute(
            "INSERT INTO orders (id, checkout_id, email, address, total, currency, status)"
            " VALUES (%s, %s, %s, %s, %s, 'EUR', 'PENDING') ON CONFLICT (checkout_id) DO NOTHING",
            [order_id, checkout_id, "ada@example.org", "1 Road, Bath BA1, GB", total],
        )
        if made.rowcount:
            for sku, quantity in _lines(number):
                connection.execute(
                    "INSERT INTO lines (order_id, sku, quantity, unit_price)"
                    " VALUES (%s, %s, %s, %s)",
                    [order_id, sku, quantity, _PRICE],
                )
    return {"order_id": str(order_id), "total": total}


@DBOS.step()
def reserve_inventory(checkout_id: str, number: int) -> str:
    """Hold stock for both lines, or for none."""
    reservation_id = uuid4()
    with _pools["inventory"].connection() as connection:
        made = connection.execute(
            "INSERT INTO reservations (id, checkout_id) VALUES (%s, %s)"
            " ON CONFLICT (checkout_id) DO NOTHING",
            [reservation_id, checkout_id],
        )
        for sku, quantity in sorted(_lines(number)) if made.rowcount else ():
            connection.execute(
                "UPDATE stock SET reserved = reserved + %s WHERE sku = %s", [quantity, sku]
            )
            connection.execute(
                "INSERT INTO reserved (reservation_id, sku, quantity) VALUES (%s, %s, %s)",
                [reservation_id, sku, quantity],
            )
    return str(reservation_id)


@DBOS.step()
def charge_payment(checkout_id: str, amount: int) -> str:
    """Commit the payment, make its intent, confirm it, record the capture."""
    with _pools["payments"].connection() as connection:
        connection.execute(
            "INSERT INTO payments (id, checkout_id, amount, currency, status)"
            " VALUES (%s, %s, %s, 'EUR', 'CREATED') ON CONFLICT (checkout_id) DO NOTHING",
            [uuid4(), checkout_id, amount],
        )
    intent = _post(
        "/v1/payment_intents",
        f"{checkout_id}-intent",
        {"amount": str(amount), "currency": "eur", "metadata[payment_id]": checkout_id},
    )
    with _pools["payments"].connection() as connection:
        connection.execute(
            "UPDATE payments SET ref = %s WHERE checkout_id = %s", [intent["id"], checkout_id]
        )
    confirmed = _post(
        f"/v1/payment_intents/{intent['id']}/confirm",
        f"{checkout_id}-charge",
        {
            "payment_method_data[type]": "card",
            "payment_method_data[card][token]": "tok_success",
        },
    )
    if confirmed["status"] != "succeeded":
        raise RuntimeError(f"the charge is {confirmed['status']}")
    with _pools["payments"].connection() as connection:
        connection.execute(
            "UPDATE payments SET status = 'SUCCEEDED' WHERE checkout_id = %s", [checkout_id]
        )
    return str(intent["id"])


@DBOS.step()
def confirm_order(checkout_id: str) -> None:
    """The order is paid."""
    with _pools["orders"].connection() as connection:
        connection.execute(
            "UPDATE orders SET status = 'CONFIRMED' WHERE checkout_id = %s", [checkout_id]
        )


@DBOS.step()
def send_confirmation(checkout_id: str) -> None:
    """Commit the mail, send it, record that it was sent."""
    with _pools["notifications"].connection() as connection:
        connection.execute(
            "INSERT INTO messages (id, checkout_id, recipient, status)"
            " VALUES (%s, %s, 'ada@example.org', 'PENDING') ON CONFLICT (checkout_id) DO NOTHING",
            [uuid4(), checkout_id],
        )
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "Confirmed", "shop@localhost", "ada@example.org"
    mail["Message-ID"] = f"<dbos.{checkout_id}@localhost>"
    mail.set_content(f"Your order {checkout_id} is confirmed.")
    host, port = os.environ["MAIL_ADDRESS"].rsplit(":", 1)
    with smtplib.SMTP(host, int(port), timeout=8) as server:
        server.send_message(mail)
    with _pools["notifications"].connection() as connection:
        connection.execute(
            "UPDATE messages SET status = 'SENT' WHERE checkout_id = %s", [checkout_id]
        )


@DBOS.workflow()
def checkout(number: int) -> str:
    """The checkout; DBOS records the result of each step."""
    checkout_id = str(DBOS.workflow_id)
    order = create_order(checkout_id, number)
    reserve_inventory(checkout_id, number)
    charge_payment(checkout_id, int(str(order["total"])))
    confirm_order(checkout_id)
    send_confirmation(checkout_id)
    return checkout_id


def main() -> None:
    """Serve ``run N`` and ``each N`` until the input ends."""
    config: DBOSConfig = {
        "name": "shop",
        "system_database_url": os.environ["DBOS_DATABASE_URL"],
        "sys_db_pool_size": _THREADS,
        "max_executor_threads": _THREADS,
        "log_level": "WARNING",
    }
    DBOS(config=config)
    with _connections():
        DBOS.launch()
        _run(_WARM_UP)
        print("ready", flush=True)
        for line in sys.stdin:
            verb, number = line.split()
            if verb == "each":
                print(json.dumps({"each": [_run(1) for _ in range(int(number))]}), flush=True)
            else:
                print(json.dumps({"seconds": _run(int(number))}), flush=True)
        DBOS.destroy()


def _run(checkouts: int) -> float:
    begun = time.monotonic()
    handles = [DBOS.start_workflow(checkout, number) for number in range(checkouts)]
    for handle in handles:
        handle.get_result()
    return time.monotonic() - begun


@contextmanager
def _connections() -> Iterator[None]:
    for name, schema in _SCHEMA.items():
        url = os.environ[f"DBOS_{name.upper()}_DATABASE_URL"]
        pool = ConnectionPool(url, min_size=2, max_size=_THREADS, open=True)
        with pool.connection() as connection:
            connection.execute(schema)
        _pools[name] = pool
    try:
        yield
    finally:
        for pool in _pools.values():
            pool.close()


def _lines(number: int) -> list[tuple[str, int]]:
    return [(_SKUS[number % len(_SKUS)], 1), (_SKUS[(number + 1) % len(_SKUS)], 2)]


def _post(path: str, key: str, form: dict[str, str]) -> dict[str, object]:
    answer = _provider.post(path, data=form, headers={"Idempotency-Key": key})
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found


if __name__ == "__main__":
    main()
