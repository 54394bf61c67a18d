"""Every scenario: together they pass every crash point."""

from tooling.crashtest.scenario import Scenario
from tooling.crashtest.scenarios import shopping, staff, upkeep

ALL: tuple[Scenario, ...] = (*shopping.ALL, *staff.ALL, *upkeep.ALL)
