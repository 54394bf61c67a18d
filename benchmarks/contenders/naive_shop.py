"""The checkout as most would write it first: a Celery chain of five tasks on the Django ORM.

Run by ``benchmarks/throughput.py`` in this project's virtual environment, with settings of its own.
It speaks what ``dbos_shop`` speaks. The same domain work, in five databases: nothing resumes a
checkout whose message or worker is lost, and a task that runs again does its work again.
"""

import os
import subprocess
import sys
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import django
from celery import Celery, chain
from django.conf import settings
from django.db import connections, models, transaction

from benchmarks.contenders import shared

_DATABASES = ("default", "orders", "inventory", "payments", "notifications")
_WORKERS = 6
_WARM_UP = 50
_LOOK_EVERY = 0.02


def _database(alias: str) -> dict[str, Any]:
    words = ["NAIVE", "" if alias == "default" else alias.upper(), "DATABASE_URL"]
    url = urlsplit(os.environ["_".join(filter(None, words))])
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path[1:],
        "USER": url.username,
        "HOST": parse_qs(url.query)["host"][0],
        "CONN_MAX_AGE": None,
    }


settings.configure(
    DATABASES={alias: _database(alias) for alias in _DATABASES},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()
app = Celery("naive_shop", broker=os.environ["BROKER_URL"])
app.conf.update(
    # Its messages lie beside ours.
    broker_transport_options={"global_keyprefix": "naive-"},
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
)


class Checkout(models.Model):
    """How far a checkout has come."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    number = models.IntegerField()
    status = models.CharField(max_length=20, default="PENDING")
    total = models.BigIntegerField(default=0)

    class Meta:
        app_label = "default"


class Order(models.Model):
    """What is bought."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    checkout_id = models.UUIDField(unique=True)
    email = models.CharField(max_length=200)
    address = models.CharField(max_length=200)
    total = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=20)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "orders"


class Line(models.Model):
    """A line of it."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    sku = models.CharField(max_length=40)
    quantity = models.IntegerField()
    unit_price = models.BigIntegerField()

    class Meta:
        app_label = "orders"


class Stock(models.Model):
    """What is on the shelf."""

    sku = models.CharField(max_length=40, primary_key=True)
    on_hand = models.BigIntegerField()
    reserved = models.BigIntegerField(default=0)

    class Meta:
        app_label = "inventory"


class Reservation(models.Model):
    """What is held for a checkout."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    checkout_id = models.UUIDField(unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "inventory"


class Reserved(models.Model):
    """A line of it."""

    reservation = models.ForeignKey(Reservation, on_delete=models.CASCADE)
    sku = models.CharField(max_length=40)
    quantity = models.IntegerField()

    class Meta:
        app_label = "inventory"


class Payment(models.Model):
    """What is charged."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    checkout_id = models.UUIDField(unique=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    ref = models.CharField(max_length=80, default="")
    status = models.CharField(max_length=20)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "payments"


class Message(models.Model):
    """A mail."""

    id = models.UUIDField(primary_key=True, default=uuid4)
    checkout_id = models.UUIDField(unique=True)
    recipient = models.CharField(max_length=200)
    status = models.CharField(max_length=20)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "notifications"


_MODELS = (Checkout, Order, Line, Stock, Reservation, Reserved, Payment, Message)


@app.task
def create_order(checkout_id: str) -> None:
    """Make the order and its two lines."""
    checkout = Checkout.objects.get(pk=checkout_id)
    with transaction.atomic(using="orders"):
        order = Order.objects.using("orders").create(
            checkout_id=checkout.pk,
            email="ada@example.org",
            address="1 Road, Bath BA1, GB",
            total=3 * shared.PRICE,
            currency="EUR",
            status="PENDING",
        )
        for sku, quantity in shared.lines(checkout.number):
            Line.objects.using("orders").create(
                order=order, sku=sku, quantity=quantity, unit_price=shared.PRICE
            )
    checkout.total = order.total
    _reach(checkout, "ORDER_CREATED")


@app.task
def reserve_inventory(checkout_id: str) -> None:
    """Hold stock for both lines, or for none."""
    checkout = Checkout.objects.get(pk=checkout_id)
    with transaction.atomic(using="inventory"):
        reservation = Reservation.objects.using("inventory").create(checkout_id=checkout.pk)
        for sku, quantity in sorted(shared.lines(checkout.number)):
            stock = Stock.objects.using("inventory").select_for_update().get(sku=sku)
            if stock.on_hand - stock.reserved < quantity:
                raise RuntimeError(f"{sku} is out of stock")
            stock.reserved += quantity
            stock.save()
            Reserved.objects.using("inventory").create(
                reservation=reservation, sku=sku, quantity=quantity
            )
    _reach(checkout, "INVENTORY_RESERVED")


@app.task
def charge_payment(checkout_id: str) -> None:
    """Commit the payment, make its intent, confirm it, record the capture."""
    checkout = Checkout.objects.get(pk=checkout_id)
    payment = Payment.objects.using("payments").create(
        checkout_id=checkout.pk, amount=checkout.total, currency="EUR", status="CREATED"
    )
    payment.ref = shared.make_intent(checkout_id, payment.amount)
    payment.save()
    shared.confirm_intent(checkout_id, payment.ref)
    payment.status = "SUCCEEDED"
    payment.save()
    _reach(checkout, "PAYMENT_CHARGED")


@app.task
def confirm_order(checkout_id: str) -> None:
    """The order is paid."""
    checkout = Checkout.objects.get(pk=checkout_id)
    order = Order.objects.using("orders").get(checkout_id=checkout.pk)
    order.status = "CONFIRMED"
    order.save()
    _reach(checkout, "ORDER_CONFIRMED")


@app.task
def send_confirmation(checkout_id: str) -> None:
    """Commit the mail, send it, record that it was sent."""
    checkout = Checkout.objects.get(pk=checkout_id)
    message = Message.objects.using("notifications").create(
        checkout_id=checkout.pk, recipient="ada@example.org", status="PENDING"
    )
    shared.send_mail(checkout_id)
    message.status = "SENT"
    message.save()
    _reach(checkout, "COMPLETE")


_STEPS = (create_order, reserve_inventory, charge_payment, confirm_order, send_confirmation)


def main() -> None:
    """Serve ``run N`` and ``each N`` until the input ends."""
    for model in _MODELS:
        with connections[model._meta.app_label].schema_editor() as editor:
            editor.create_model(model)
    Stock.objects.using("inventory").bulk_create(
        Stock(sku=sku, on_hand=10**9) for sku in shared.SKUS
    )
    command = [sys.executable, "-m", "celery", "-A", "benchmarks.contenders.naive_shop", "worker"]
    with subprocess.Popen([*command, "-c", str(_WORKERS), "-l", "WARNING"]) as worker:
        try:
            _run(_WARM_UP)
            shared.serve(_run)
        finally:
            worker.terminate()


def _run(checkouts: int) -> float:
    begun = time.monotonic()
    for number in range(checkouts):
        checkout = Checkout.objects.create(number=number)
        chain(*(step.si(str(checkout.pk)) for step in _STEPS)).apply_async()
    while Checkout.objects.exclude(status="COMPLETE").exists():
        time.sleep(_LOOK_EVERY)
    return time.monotonic() - begun


def _reach(checkout: Checkout, status: str) -> None:
    checkout.status = status
    checkout.save()
