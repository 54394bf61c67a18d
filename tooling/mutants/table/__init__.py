"""The guards and how each is taken away. A guard that is not in here is not proved."""

from collections.abc import Sequence

from tooling.mutants.patch import Mutant
from tooling.mutants.table import (
    aftersales,
    databases,
    doors,
    engine,
    events,
    goods,
    mails,
    money,
    oversight,
    provider,
    schema,
    webhooks,
)

ALL: Sequence[Mutant] = [
    *engine.MUTANTS,
    *doors.MUTANTS,
    *databases.MUTANTS,
    *goods.MUTANTS,
    *money.MUTANTS,
    *provider.MUTANTS,
    *aftersales.MUTANTS,
    *events.MUTANTS,
    *mails.MUTANTS,
    *webhooks.MUTANTS,
    *oversight.MUTANTS,
    *schema.MUTANTS,
]
