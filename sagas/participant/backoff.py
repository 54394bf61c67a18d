"""How long to wait before the next attempt."""

import random


def full_jitter(attempt: int, *, first: float, longest: float) -> float:
    """Return a random wait in seconds after the ``attempt``-th failure (1 is the first).

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    Args:
        first: upper bound of the first wait, in seconds; it doubles with each attempt.
        longest: upper bound of every wait, in seconds.
    """
    bound = min(longest, first * 2 ** min(attempt - 1, 32))
    return random.uniform(0, bound)  # noqa: S311  (spreads load, keeps no secret)
