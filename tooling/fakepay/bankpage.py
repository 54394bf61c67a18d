"""The page of the shopper's bank: yes or no, and back to the shop."""

from html import escape
from urllib.parse import urlencode

from tooling.fakepay.objects import Object

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Your bank</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:1rem/1.5 system-ui;max-width:28rem;margin:3rem auto;padding:0 1rem}}
button{{font:inherit;padding:.5rem 1rem;margin-right:.5rem}}</style></head>
<body><h1>Your bank asks</h1><p>Do you pay {amount}? (play money)</p>
<form method="post"><button name="outcome" value="success">Yes, it is me</button>
<button name="outcome" value="failure">No</button></form></body></html>"""


def page_of(intent: Object) -> str:
    """Return the page that asks the shopper."""
    amount = f"{intent['amount'] / 100:.2f} {intent['currency'].upper()}"
    return _PAGE.format(amount=escape(amount))


def way_back(before: Object, after: Object) -> str:
    """Return the shop's address, with what Stripe adds to it."""
    return_url = before["next_action"]["redirect_to_url"]["return_url"]
    succeeded = after["status"] in ("succeeded", "requires_capture", "processing")
    told = {
        "payment_intent": after["id"],
        "payment_intent_client_secret": after["client_secret"],
        "redirect_status": "succeeded" if succeeded else "failed",
    }
    return f"{return_url}{'&' if '?' in return_url else '?'}{urlencode(told)}"
