"""The drawing comes from the definition, and a stale one is noticed."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command

from sagas.checkout.saga import CHECKOUT
from sagas.diagram import draw
from sagas.tests.toy import TOY

_TEXT = "{http://www.w3.org/2000/svg}text"


def _words(svg: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(svg).iter(_TEXT)]


def test_every_step_state_and_undo_of_the_checkout_is_drawn() -> None:
    words = _words(draw(CHECKOUT))
    for step in CHECKOUT.steps:
        assert (f"{step.name} (pivot)" if step.pivot else step.name) in words
        assert step.reaches in words
    assert {"cancel_order", "release_inventory", "refund_payment"} <= set(words)
    assert {"PENDING", "COMPENSATED", "FAILED"} <= set(words)


def test_another_definition_gives_another_drawing() -> None:
    assert "pack_bag" in _words(draw(TOY))
    assert draw(TOY) != draw(CHECKOUT)


def test_a_stale_drawing_fails_the_check_and_says_how_to_mend_it(tmp_path: Path) -> None:
    picture = tmp_path / "checkout.svg"
    call_command("draw_saga", "checkout", output=picture)
    call_command("draw_saga", "checkout", output=picture, check=True)
    picture.write_text(picture.read_text().replace("refund_payment", "hope"))
    with pytest.raises(CommandError, match="draw_saga checkout --output"):
        call_command("draw_saga", "checkout", output=picture, check=True)
    assert "hope" in picture.read_text()


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(CommandError, match="barter"):
        call_command("draw_saga", "barter")
