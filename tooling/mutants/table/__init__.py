"""The guards and how each is taken away. A guard that is not in here is not proved."""

from collections.abc import Sequence

from tooling.mutants.patch import Mutant
from tooling.mutants.table import databases, doors, engine, goods, mails, money, provider, schema

ALL: Sequence[Mutant] = [
    *engine.MUTANTS,
    *doors.MUTANTS,
    *databases.MUTANTS,
    *goods.MUTANTS,
    *money.MUTANTS,
    *provider.MUTANTS,
    *mails.MUTANTS,
    *schema.MUTANTS,
]
