"""Amounts as people write them."""

from decimal import Decimal

#: Decimals of currencies that do not have two (ISO 4217).
_DECIMALS = {
    "BHD": 3, "CLP": 0, "ISK": 0, "JOD": 3, "JPY": 0, "KRW": 0, "KWD": 3, "OMR": 3, "PYG": 0,
    "TND": 3, "UGX": 0, "VND": 0, "XAF": 0, "XOF": 0,
}  # fmt: skip


def written(minor_units: int, currency: str) -> str:
    """Return an amount of minor units as people write it, such as ``1,250.00 EUR``."""
    decimals = _DECIMALS.get(currency, 2)
    return f"{Decimal(minor_units).scaleb(-decimals):,.{decimals}f} {currency}".strip()


def read(amount: Decimal, currency: str) -> int:
    """Return what people wrote as minor units, such as 1250 for 12.50 EUR.

    Raises:
        ValueError: it has more decimals than the currency.
    """
    minor = amount.scaleb(_DECIMALS.get(currency, 2))
    if minor != minor.to_integral_value():
        raise ValueError(f"{currency} has {_DECIMALS.get(currency, 2)} decimals")
    return int(minor)
