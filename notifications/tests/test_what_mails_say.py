"""The words of the mails, as a mail server gets them."""

from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest

from notifications.money import format_money
from notifications.tests.conftest import ORDER, MailServer, apologise, confirm

pytestmark = pytest.mark.django_db(databases=["notifications"], transaction=True)


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_a_confirmation_lists_what_was_bought_and_where_it_goes(
    smtp: MailServer, saga_id: UUID
) -> None:
    confirm(saga_id)

    [mail] = smtp.mails
    assert mail["To"] == "ada@example.com"
    assert mail["From"] == "Makegood <orders@shop.example>"
    assert mail["Reply-To"] == "help@shop.example"
    assert mail["Subject"] == "Your order MG-7K2M9QXA is confirmed - Makegood"
    for kind in ("plain", "html"):
        text = body(mail, kind)
        for words in ("Ada Lovelace", "MG-7K2M9QXA", "59.80 EUR", "72.30 EUR", "SW1Y 4JH London"):
            assert words in text


def test_names_are_escaped_in_html_and_left_alone_in_text(smtp: MailServer, saga_id: UUID) -> None:
    confirm(saga_id)

    [mail] = smtp.mails
    assert "Ben & Jo's tea <loose>" in body(mail, "plain")
    assert "Ben &amp; Jo&#x27;s tea &lt;loose&gt;" in body(mail, "html")
    assert "<loose>" not in body(mail, "html")


def test_an_apology_without_a_charge_says_that_nothing_was_charged(
    smtp: MailServer, saga_id: UUID
) -> None:
    apologise(saga_id)

    [mail] = smtp.mails
    for kind in ("plain", "html"):
        assert "sold out" in body(mail, kind)
        assert "Nothing was charged" in body(mail, kind)
        assert "refunded" not in body(mail, kind)


def test_an_apology_after_a_charge_says_how_much_was_refunded(
    smtp: MailServer, saga_id: UUID
) -> None:
    apologise(saga_id, reason="cancelled", refunded=7230)

    [mail] = smtp.mails
    for kind in ("plain", "html"):
        assert "You asked us to cancel it." in body(mail, kind)
        assert "72.30 EUR was refunded" in body(mail, kind)
        assert "Nothing was charged" not in body(mail, kind)


def test_every_known_reason_has_words_of_its_own_and_others_are_a_technical_problem(
    smtp: MailServer,
) -> None:
    reasons = ["out-of-stock", "card-declined", "deadline", "cancelled", "operator"]
    for number, reason in enumerate([*reasons, "retries-exhausted", ""]):
        apologise(UUID(int=number), reason=reason)

    texts = [body(mail, "plain") for mail in smtp.mails]
    assert len(set(texts)) == len(reasons) + 1
    assert "technical problem" in texts[-1]
    assert texts[-1] == texts[-2]


@pytest.mark.parametrize(
    "forged", ["Ada\r\nBcc: eve@evil.example", "Ada\u2028x\x00\x85y", "Ada\n\n.\n"]
)
def test_line_breaks_in_names_reach_neither_headers_nor_lines_of_the_body(
    smtp: MailServer, saga_id: UUID, forged: str
) -> None:
    confirm(UUID(int=1), context=_named("Ada"))
    confirm(saga_id, context=_named(forged))

    honest, mail = smtp.mails
    assert mail["Bcc"] is None
    assert mail["To"] == "ada@example.com"
    text = body(mail, "plain")
    assert len(text.splitlines()) == len(body(honest, "plain").splitlines())
    assert not set("\x00\x85\u2028") & set(text)


def _named(name: str) -> dict[str, Any]:
    lines = [{"name": name, "quantity": 1, "line_total": 100}]
    return {**ORDER, "name": name, "number": name, "address": [name], "lines": lines}


@pytest.mark.parametrize(
    ("amount", "currency", "words"),
    [
        (1250, "EUR", "12.50 EUR"),
        (5, "USD", "0.05 USD"),
        (0, "EUR", "0.00 EUR"),
        (1250, "JPY", "1,250 JPY"),
        (1250, "BHD", "1.250 BHD"),
        (12505, "CLF", "1.2505 CLF"),
        (123456789012345678901, "EUR", "1,234,567,890,123,456,789.01 EUR"),
        (-1250, "EUR", "-12.50 EUR"),
    ],
)
def test_money_is_written_by_the_exponent_of_its_currency(
    amount: int, currency: str, words: str
) -> None:
    assert format_money(amount, currency) == words
