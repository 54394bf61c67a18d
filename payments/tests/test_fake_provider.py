"""The fake provider keeps the contract that it was made for, over real HTTP."""

import signal
from collections.abc import Mapping
from threading import Thread
from typing import Any
from uuid import uuid4

import httpx
import pytest

from payments.tests.provider import FakeProvider, eventually
from tooling.fakepay.tokens import TOKENS, behaviour_of


def _new_intent(provider: FakeProvider, **more: Any) -> str:
    body = {"amount": 1000, "currency": "eur", **more}
    reference: str = provider.post("/v1/payment_intents", body).raise_for_status().json()["id"]
    return reference


def _confirm(
    provider: FakeProvider, intent: str, token: str = "tok_success", key: str = ""
) -> httpx.Response:
    path = f"/v1/payment_intents/{intent}/confirm"
    return provider.post(path, {"payment_method": token}, key=key)


def _error(response: httpx.Response) -> Mapping[str, Any]:
    error: Mapping[str, Any] = response.json()["error"]
    return error


def test_a_key_replays_its_first_answer(provider: FakeProvider) -> None:
    body, key = {"amount": 1000, "currency": "eur"}, str(uuid4())
    first = provider.post("/v1/payment_intents", body, key=key)
    second = provider.post("/v1/payment_intents", body, key=key)
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"


def test_a_key_with_other_parameters_is_an_error(provider: FakeProvider) -> None:
    key = str(uuid4())
    provider.post("/v1/payment_intents", {"amount": 1000, "currency": "eur"}, key=key)
    other = provider.post("/v1/payment_intents", {"amount": 1001, "currency": "eur"}, key=key)
    assert (other.status_code, _error(other)["type"]) == (400, "idempotency_error")


def test_a_key_in_flight_is_a_conflict(provider: FakeProvider) -> None:
    intent, key = _new_intent(provider), str(uuid4())
    slow = Thread(target=_confirm, args=(provider, intent, "tok_slow_60", key))
    slow.start()
    eventually(lambda: provider.begun("confirm", intent))
    assert _confirm(provider, intent, "tok_slow_60", key).status_code == 409
    provider.advance()
    slow.join()
    assert _confirm(provider, intent, "tok_slow_60", key).json()["status"] == "succeeded"
    assert len(provider.captures(intent)) == 1


def test_an_intent_in_use_is_locked_and_the_key_stays_free(provider: FakeProvider) -> None:
    intent, key = _new_intent(provider), str(uuid4())
    slow = Thread(target=_confirm, args=(provider, intent, "tok_slow_60"))
    slow.start()
    eventually(lambda: provider.begun("confirm", intent))
    path = f"/v1/payment_intents/{intent}/cancel"
    assert provider.post(path, key=key).status_code == 429
    provider.advance()
    slow.join()
    refused = provider.post(path, key=key)
    assert _error(refused)["code"] == "payment_intent_unexpected_state"


@pytest.mark.parametrize("token", ["tok_declined", "tok_500_before"])
def test_errors_of_an_executed_request_are_stored(provider: FakeProvider, token: str) -> None:
    intent, key = _new_intent(provider), str(uuid4())
    first = _confirm(provider, intent, token, key)
    again = _confirm(provider, intent, token, key)
    assert first.status_code == again.status_code >= 402
    assert first.json() == again.json()
    assert provider.begun("confirm", intent) == 1


def test_errors_before_the_execution_are_not_stored(provider: FakeProvider) -> None:
    key = str(uuid4())
    assert provider.post("/v1/payment_intents", {"amount": "x"}, key=key).status_code == 400
    good = {"amount": 1000, "currency": "eur"}
    assert provider.post("/v1/payment_intents", good, key=key).status_code == 200


def test_a_lost_reply_is_answered_when_asked_again(provider: FakeProvider) -> None:
    intent, key = _new_intent(provider), str(uuid4())
    with pytest.raises(httpx.RemoteProtocolError):
        _confirm(provider, intent, "tok_reply_lost", key)
    assert _confirm(provider, intent, "tok_reply_lost", key).json()["status"] == "succeeded"
    assert len(provider.captures(intent)) == 1


def test_the_state_machine_refuses_what_must_not_be(provider: FakeProvider) -> None:
    paid, dropped = _new_intent(provider), _new_intent(provider)
    _confirm(provider, paid).raise_for_status()
    provider.post(f"/v1/payment_intents/{dropped}/cancel").raise_for_status()
    for refused in (
        _confirm(provider, paid),
        _confirm(provider, dropped),
        provider.post(f"/v1/payment_intents/{paid}/cancel"),
        provider.post(f"/v1/payment_intents/{dropped}/cancel"),
    ):
        assert refused.status_code == 400
        assert _error(refused)["code"] == "payment_intent_unexpected_state"
        assert _error(refused)["payment_intent"]["status"] in ("succeeded", "canceled")


def test_refunds_end_where_the_capture_ends(provider: FakeProvider) -> None:
    intent = _new_intent(provider)
    _confirm(provider, intent).raise_for_status()

    def refund(amount: int) -> httpx.Response:
        return provider.post("/v1/refunds", {"payment_intent": intent, "amount": amount})

    assert _error(refund(1001))["code"] == "amount_too_large"
    assert refund(400).json()["status"] == "succeeded"
    assert _error(refund(601))["code"] == "amount_too_large"
    assert refund(600).status_code == 200
    assert _error(refund(1))["code"] == "charge_already_refunded"
    assert provider.refunded(intent) == 1000


def test_a_decline_names_its_reason_and_leaves_the_intent_open(provider: FakeProvider) -> None:
    intent = _new_intent(provider)
    declined = _confirm(provider, intent, "tok_insufficient_funds")
    assert declined.status_code == 402
    assert _error(declined)["decline_code"] == "insufficient_funds"
    assert provider.get(f"/v1/payment_intents/{intent}")["status"] == "requires_payment_method"
    assert _confirm(provider, intent).json()["status"] == "succeeded"


def test_intents_are_found_by_their_metadata(provider: FakeProvider) -> None:
    mine = str(uuid4())
    intent = _new_intent(provider, metadata={"payment_id": mine})
    query = f"metadata['payment_id']:'{mine}'"
    found = provider.http.get("/v1/payment_intents/search", params={"query": query}).json()
    assert [one["id"] for one in found["data"]] == [intent]
    assert (found["object"], found["has_more"]) == ("search_result", False)


def test_the_journal_survives_a_kill_and_a_torn_line(mortal_provider: FakeProvider) -> None:
    provider, key = mortal_provider, str(uuid4())
    paid, late = _new_intent(provider), _new_intent(provider)
    answer = _confirm(provider, paid, key=key).json()
    provider.post("/v1/refunds", {"payment_intent": paid, "amount": 300})
    _confirm(provider, late, "tok_late_success_600")
    before = provider.get("/v1/ledger")
    assert provider.stop(signal.SIGKILL) == -signal.SIGKILL
    with provider.journal.open("a") as journal:
        journal.write('{"event":"capture","intent":"')

    provider.start()
    assert provider.get("/v1/ledger") == before
    assert _confirm(provider, paid, key=key).json() == answer
    provider.advance()
    assert len(provider.captures(late)) == 1
    assert provider.stop() == 0


def test_every_request_that_arrived_is_in_the_journal(provider: FakeProvider) -> None:
    intent, key = _new_intent(provider), str(uuid4())
    _confirm(provider, intent, key=key)
    mine = [e for e in provider.events("request") if intent in e["path"]]
    assert [(e["method"], e["key"]) for e in mine] == [("POST", key)]


def test_every_token_of_the_table_has_a_behaviour() -> None:
    assert all(behaviour_of(token) for token in TOKENS)
    assert behaviour_of("tok_slow_2.5") == TOKENS["tok_slow"].behaves(2.5)
    assert behaviour_of("tok_unheard_of") is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"amount=-1&currency=eur",
        b"amount=1e3&currency=eur",
        b"amount[x]=1&currency=eur",
        b"amount=1000&currency=5",
        b"amount=1000&currency=eur&metadata=text",
        b"amount=1000&currency=eur&amount_capturable=1",
        b"amount=1000&currency=eur&payment_method_types[0]=card",
        b"a[b=1",
    ],
)
def test_a_body_that_makes_no_sense_is_refused(provider: FakeProvider, body: bytes) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = provider.http.post("/v1/payment_intents", content=body, headers=form)
    assert answer.status_code == 400


def test_json_is_refused_as_stripe_refuses_it(provider: FakeProvider) -> None:
    answer = provider.http.post("/v1/payment_intents", json={"amount": 1000, "currency": "eur"})
    assert answer.status_code == 400


def test_a_call_without_a_secret_key_is_refused(provider: FakeProvider) -> None:
    assert httpx.get(f"{provider.url}/v1/refunds?payment_intent=pi_1").status_code == 401


def test_a_key_is_forgotten_after_a_day(provider: FakeProvider) -> None:
    body, key = {"amount": 1000, "currency": "eur"}, str(uuid4())
    first = provider.post("/v1/payment_intents", body, key=key).json()
    provider.provoke("advance", seconds=23 * 3600)
    assert provider.post("/v1/payment_intents", body, key=key).json() == first
    provider.provoke("advance", seconds=3600)
    assert provider.post("/v1/payment_intents", body, key=key).json()["id"] != first["id"]


def test_lists_come_in_pages_newest_first(provider: FakeProvider) -> None:
    made = [_new_intent(provider) for _ in range(3)]
    since = provider.get(f"/v1/payment_intents/{made[0]}")["created"]
    url = f"/v1/payment_intents?limit=2&created[gte]={since}"
    first = provider.get(url)
    assert [each["id"] for each in first["data"]] == [made[2], made[1]]
    assert (first["object"], first["has_more"]) == ("list", True)
    second = provider.get(f"{url}&starting_after={made[1]}")
    assert second["data"][0]["id"] == made[0]


def test_an_intent_that_is_captured_by_hand_waits_for_it(provider: FakeProvider) -> None:
    intent = _new_intent(provider, capture_method="manual")
    held = _confirm(provider, intent).json()
    assert (held["status"], held["amount_capturable"]) == ("requires_capture", 1000)
    assert provider.captures(intent) == []
    taken = provider.post(f"/v1/payment_intents/{intent}/capture").json()
    assert (taken["status"], taken["amount_received"]) == ("succeeded", 1000)
    again = provider.post(f"/v1/payment_intents/{intent}/capture")
    assert _error(again)["code"] == "payment_intent_unexpected_state"


def test_a_shopper_authenticates_on_the_bank_s_page(provider: FakeProvider) -> None:
    intent = _new_intent(provider)
    path = f"/v1/payment_intents/{intent}/confirm"
    body = {"payment_method": "tok_requires_action", "return_url": "http://shop.example/back"}
    action = provider.post(path, body).json()["next_action"]["redirect_to_url"]
    assert "Your bank asks" in httpx.get(action["url"]).text
    left = httpx.post(action["url"], data={"outcome": "success"})
    assert left.headers["Location"].startswith("http://shop.example/back?payment_intent=pi_")
    assert len(provider.captures(intent)) == 1


def test_the_rate_limit_turns_requests_away(provider: FakeProvider) -> None:
    provider.provoke("rate_limit", requests=1, retry_after=7)
    away = provider.post("/v1/payment_intents", {"amount": 1000, "currency": "eur"})
    assert (away.status_code, away.headers["Retry-After"]) == (429, "7")
    assert _new_intent(provider)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "starting_after=pi_nobody"])
def test_a_list_with_bad_parameters_is_refused(provider: FakeProvider, query: str) -> None:
    assert provider.http.get(f"/v1/payment_intents?{query}").status_code == 400


def test_a_charge_is_expanded_only_where_it_was_asked_for(provider: FakeProvider) -> None:
    intent = _new_intent(provider)
    _confirm(provider, intent)
    plain = provider.get(f"/v1/payment_intents/{intent}")["latest_charge"]
    expanded = provider.get(f"/v1/payment_intents/{intent}?expand[]=latest_charge")["latest_charge"]
    assert plain.startswith("ch_")
    assert (expanded["id"], expanded["amount_refunded"]) == (plain, 0)
