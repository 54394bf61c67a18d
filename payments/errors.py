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
    """The outcome at the provider is unknown; the next attempt asks before it does anything.

    ``retry_after`` is how many seconds the provider wants to be left alone.
    """

    code = "payment-in-doubt"

    def __init__(self, words: str, *, retry_after: float = 0.0) -> None:
        super().__init__(words)
        self.retry_after = retry_after


class RefundPending(PaymentInDoubt):
    """The bank takes its time over a refund, days perhaps; the text completes "waiting …"."""

    code = "refund-pending"


class PaymentUnavailable(Exception):
    """The provider could not be reached; nothing was done. Transient."""

    code = "payment-unavailable"


class PaymentNeedsAction(Exception):
    """The shopper has to authenticate with their bank first; the text completes "waiting …"."""

    code = "payment-needs-action"

    def __init__(self) -> None:
        super().__init__("for the shopper to authenticate")


class AuthorisationLost(Exception):
    """The bank does not hold the money any more, so that it cannot be captured; a refusal."""

    code = "authorisation-lost"


class RefundRefused(Exception):
    """The provider's definite no to a refund; a person has to look at it."""

    code = "refund-refused"


class NotRefundable(Exception):
    """So much cannot be given back: it was not captured, or went back before; a refusal."""

    code = "not-refundable"


class ProviderDisagrees(Exception):
    """The provider holds another amount or currency than the payment says; for a person."""

    code = "provider-disagrees"
