from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from inventory import services
from inventory.catalogue import CATALOGUE, CURRENCY


class Command(BaseCommand):
    help = "Put the demo shop's products on the shelf; those that are there are left alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--reset-stock",
            action="store_true",
            help="make every product as available as on the first day; held units stay held",
        )

    def handle(self, *, reset_stock: bool, **_: Any) -> None:
        new = sum(
            services.add_product(
                sku=item.sku,
                name=item.name,
                description=item.description,
                price=item.price,
                currency=CURRENCY,
                on_hand=item.on_hand,
            )
            for item in CATALOGUE
        )
        if reset_stock:
            for item in CATALOGUE:
                services.reset_stock(sku=item.sku, available=item.on_hand)
        reset = ", stock as on the first day" if reset_stock else ""
        self.stdout.write(f"{len(CATALOGUE)} products in the catalogue, {new} of them new{reset}")
