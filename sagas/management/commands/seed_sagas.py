from argparse import ArgumentParser, ArgumentTypeError
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.utils import timezone


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)


class Command(BaseCommand):
    help = "Fill the databases with made-up checkouts in every state. Never in production."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--count", type=_positive, required=True, help="how many checkouts")
        parser.add_argument("--days", type=_positive, default=30, help="over how many days (30)")
        parser.add_argument("--seed", type=_positive, default=1, help="the same makes the same (1)")

    def handle(self, *, count: int, days: int, seed: int, **_: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("This is production: made-up checkouts would stand among real ones.")

        def tell(made: int) -> None:
            self.stdout.write(f"{made:,} of {count:,}")

        # By name: the engine knows no domain, and the checkout brings its own seed.
        filling = import_module("sagas.checkout.seeding.filling")
        filling.fill(count=count, days=days, seed=seed, tell=tell, now=timezone.now())
