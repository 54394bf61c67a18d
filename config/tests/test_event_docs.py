"""docs/events.md describes every event, and no other."""

import re
from pathlib import Path

from django.conf import settings

WORDS = (Path(__file__).resolve().parents[2] / "docs/events.md").read_text()


def test_every_type_of_event_is_described_once_and_no_other() -> None:
    described = re.findall(r"^\| `(\w+)` \|", WORDS, re.MULTILINE)
    assert sorted(described) == sorted(settings.EVENT_CONSUMERS)


def test_every_consumer_is_named_or_its_module_is() -> None:
    paths = {path for consumers in settings.EVENT_CONSUMERS.values() for path in consumers}
    unnamed = [p for p in paths if p not in WORDS and p.rpartition(".")[0] not in WORDS]
    assert unnamed == []
