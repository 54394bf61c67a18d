"""The checkout on DBOS Transact: the same domain work, in five databases, as five steps.

Run by ``benchmarks/throughput.py``, in a virtual environment of its own. It prints ``ready`` once
it is warm. Then, for each line ``run N`` on its standard input, it completes N checkouts and prints
how long that took; for ``each N`` it does so one after the other. A step that is run again after a
crash finds its row by the checkout's id. Events and history rows, which our checkout has too, are
left out.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from dbos import DBOS, DBOSConfig
from psycopg_pool import ConnectionPool

from benchmarks.contenders import shared

_THREADS = int(os.environ.get("DBOS_THREADS", "16"))
_WARM_UP = 50

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


@DBOS.step()
def create_order(checkout_id: str, number: int) -> dict[str, object]:
    """Make the order and its two lines."""
    order_id, total = uuid4(), 3 * shared.PRICE
    with _pools["orders"].connection() as connection:
        made = connection.execute(
            "INSERT INTO orders (id, checkout_id, email, address, total, currency, status)"
            " VALUES (%s, %s, %s, %s, %s, 'EUR', 'PENDING') ON CONFLICT (checkout_id) DO NOTHING",
            [order_id, checkout_id, "ada@example.org", "1 Road, Bath BA1, GB", total],
        )
        if made.rowcount:
            for sku, quantity in shared.lines(number):
                connection.execute(
                    "INSERT INTO lines (order_id, sku, quantity, unit_price)"
                    " VALUES (%s, %s, %s, %s)",
                    [order_id, sku, quantity, shared.PRICE],
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
        for sku, quantity in sorted(shared.lines(number)) if made.rowcount else ():
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
    ref = shared.make_intent(checkout_id, amount)
    with _pools["payments"].connection() as connection:
        connection.execute(
            "UPDATE payments SET ref = %s WHERE checkout_id = %s", [ref, checkout_id]
        )
    shared.confirm_intent(checkout_id, ref)
    with _pools["payments"].connection() as connection:
        connection.execute(
            "UPDATE payments SET status = 'SUCCEEDED' WHERE checkout_id = %s", [checkout_id]
        )
    return ref


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
    shared.send_mail(checkout_id)
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
        shared.serve(_run)
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


if __name__ == "__main__":
    main()
