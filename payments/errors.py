"""What can be wrong with a payment, as the saga sees it. ``payments.services`` offers them."""


class PaymentMethodMissing(Exception):
    """No payment method was registered for the checkout, or it was discarded; a refusal."""

    code = "payment-method-missing"


class CardDeclined(Exception):
    """The provider's definite no to the charge; a refusal."""

    code = "card-declined"

    def __init__(self, decline_code: str) -> None:
        super().__init__(f"the card was declined: {decline_code or 'no reason given'}")
        self.decline_code = decline_code


class PaymentRejected(Exception):
    """The provider turned our request down and did nothing: a fault of ours, or of our account."""

    code = "payment-rejected"


class PaymentInDoubt(Exception):
    """The outcome at the provider is unknown; the next attempt asks before it does anything."""

    code = "payment-in-doubt"


class PaymentUnavailable(Exception):
    """The provider could not be reached; nothing was done. Transient."""

    code = "payment-unavailable"


class RefundRefused(Exception):
    """The provider's definite no to a refund; a person has to look at it."""

    code = "refund-refused"


class ProviderDisagrees(Exception):
    """The provider holds another amount or currency than the payment says; for a person."""

    code = "provider-disagrees"
