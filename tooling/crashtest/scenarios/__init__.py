"""Every scenario: together they pass every crash point."""

from tooling.crashtest.scenario import Scenario
from tooling.crashtest.scenarios import (
    aftersales,
    bank,
    drills,
    events,
    notices,
    outgoing,
    shopping,
    staff,
    told,
    upkeep,
)

_GROUPS = (shopping, aftersales, bank, told, staff, drills, upkeep, events, notices, outgoing)
ALL: tuple[Scenario, ...] = tuple(scenario for group in _GROUPS for scenario in group.ALL)
