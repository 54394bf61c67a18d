"""What can be wrong with a cancellation or a refund, as problem details (RFC 9457)."""

from http import HTTPStatus

from sagas.checkout.problems import CheckoutProblem


class NotCancellable(CheckoutProblem):
    """The order was shipped, is cancelled, or is not paid yet."""

    status_code = HTTPStatus.CONFLICT
    problem_type = "order-not-cancellable"


class NotRefundable(CheckoutProblem):
    """So much, or these units, cannot be given back."""

    status_code = HTTPStatus.CONFLICT
    problem_type = "not-refundable"


class NeedsApproval(CheckoutProblem):
    """The amount is above what the caller may give back alone."""

    status_code = HTTPStatus.FORBIDDEN
    problem_type = "refund-above-limit"
