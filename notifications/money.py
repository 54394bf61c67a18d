"""Amounts as people read them."""

#: Currencies whose minor unit is not a hundredth. Source: ISO 4217, list one, 2024-06.
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS = "CLF UYW"
_EXPONENTS = {
    code: decimals
    for decimals, codes in ((0, _NO_DECIMALS), (3, _THREE_DECIMALS), (4, _FOUR_DECIMALS))
    for code in codes.split()
}


def format_money(amount: int, currency: str) -> str:
    """Write ``amount`` minor units of ``currency`` (ISO 4217) in words: ``1,234.50 EUR``.

    Integers only: no rounding, whatever the size.
    """
    exponent = _EXPONENTS.get(currency, 2)
    whole, rest = divmod(abs(amount), 10**exponent)
    sign = "-" if amount < 0 else ""
    fraction = f".{rest:0{exponent}d}" if exponent else ""
    return f"{sign}{whole:,}{fraction} {currency}"
