"""What tests provoke: time, the rate limit, the shopper's authentication, the dashboard, webhooks.

All of it is under ``/v1/test_helpers``; nothing here is Stripe's.
"""

from collections.abc import Mapping
from typing import Any

from tooling.fakepay import errors, forms, objects
from tooling.fakepay.forms import Parameters
from tooling.fakepay.objects import Object
from tooling.fakepay.provider import Provider

SUCCESS, FAILURE = "success", "failure"


def provoke(provider: Provider, path: list[str], parameters: Parameters) -> Mapping[str, Any]:
    """Do what ``path`` says; Refusal if there is no such thing."""
    answer: Mapping[str, Any] = {"object": path[0]}
    match path:
        case ["advance"]:
            provider.advance(keys_by=float(forms.text_of(parameters, "seconds") or 0))
        case ["rate_limit"]:
            provider.turned_away = int(forms.text_of(parameters, "requests") or 1)
            provider.retry_after = int(forms.text_of(parameters, "retry_after") or 1)
        case ["payment_intents", intent, "authenticate"]:
            outcome = forms.text_of(parameters, "outcome") or SUCCESS
            answer = authenticate(provider, intent, outcome)
        case ["payment_intents", intent, "dispute"]:
            reason = forms.text_of(parameters, "reason") or "fraudulent"
            answer = provider.ledger.dispute(intent, reason=reason)
        case ["disputes", dispute, "close"]:
            answer = provider.ledger.end_dispute(dispute, forms.text_of(parameters, "status"))
        case ["refunds", refund, "fail"]:
            answer = provider.ledger.end_refund(refund, "failed")
        case ["webhooks"]:
            provider.webhooks.set(
                forms.text_of(parameters, "url"),
                forms.text_of(parameters, "secret"),
                _manner(parameters),
            )
        case ["webhooks", "release"]:
            provider.webhooks.release(reverse=forms.text_of(parameters, "order") == "reversed")
        case _:
            raise errors.missing("test helper")
    return answer


def authenticate(provider: Provider, intent: str, outcome: str) -> Object:
    """The shopper shows the bank who they are, or fails to; Refusal if nobody asks them."""
    known = provider.ledger.intent(intent)
    if known["status"] != "requires_action":
        raise errors.unexpected_state("authenticate", known)
    if outcome == SUCCESS:
        return provider.calls.authenticated(intent)
    return provider.ledger.refuse(
        intent,
        objects.card_error(
            objects.AUTHENTICATION_FAILED, "The shopper could not be authenticated."
        ),
    )


def _manner(parameters: Parameters) -> Mapping[str, Any]:
    manner: dict[str, Any] = {}
    if copies := forms.text_of(parameters, "copies"):
        manner["copies"] = int(copies)
    if delay := forms.text_of(parameters, "delay"):
        manner["delay"] = float(delay)
    for flag in ("hold", "before_reply"):
        manner[flag] = forms.text_of(parameters, flag) == "true"
    return manner
