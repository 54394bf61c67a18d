"""Finds payment card numbers, which have no business here: the provider's token is all we take.

A number is taken for a card's if it has 13 to 19 digits, begins as those of issuers do, and its
check digit is right (ISO/IEC 7812-1, annex B), so that phone numbers, postal codes and order
numbers pass. Whoever writes it in groups, with spaces, dots or dashes, is found as well.
"""

import re
from itertools import combinations

#: Digits in groups; a plus before them makes them a phone number.
_RUN = re.compile(r"(?<![+\d])\d+(?:[\s.\-_/]\d+)*")
#: ISO/IEC 7812-1: 2 to 6 are banks, cards and travel; the others are airlines and the like.
_ISSUERS = "23456"
_FEWEST, _MOST = 13, 19


def has_card_number(text: str) -> bool:
    """Tell whether a text holds what must be taken for the number of a payment card."""
    for run in _RUN.findall(text):
        groups = re.split(r"[\s.\-_/]", run)
        for begin, end in combinations(range(len(groups) + 1), 2):
            if _is_card_number("".join(groups[begin:end])):
                return True
    return False


def _is_card_number(digits: str) -> bool:
    # Digits of other scripts are digits too.
    numbers = [int(digit) for digit in digits]
    if not _FEWEST <= len(numbers) <= _MOST or str(numbers[0]) not in _ISSUERS:
        return False
    doubled = [sum(divmod(2 * n, 10)) for n in numbers[-2::-2]]
    return (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0
