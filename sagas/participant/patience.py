"""Statements that read a whole table are given more time than a worker's usually have."""

from django.db import connections

#: Seconds that such a statement may take.
LONGEST = 60


def patiently(using: str) -> None:
    """Let the statements of the caller's transaction on ``using`` run for up to a minute."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{LONGEST}s"])
