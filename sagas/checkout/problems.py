"""What can be wrong with a checkout's request, as problem details (RFC 9457)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from rest_framework.exceptions import APIException

Errors = Sequence[dict[str, Any]]


class CheckoutProblem(APIException):
    """A definite answer with a stable type; ``errors`` and ``extra`` go into the document."""

    problem_type = ""

    def __init__(self, detail: str, *, errors: Errors = (), **extra: Any) -> None:
        super().__init__(detail)
        self.errors = list(errors)
        self.extra = extra


class KeyMissing(CheckoutProblem):
    status_code = HTTPStatus.BAD_REQUEST
    problem_type = "idempotency-key-missing"


class KeyInvalid(CheckoutProblem):
    status_code = HTTPStatus.BAD_REQUEST
    problem_type = "idempotency-key-invalid"


class KeyReused(CheckoutProblem):
    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    problem_type = "idempotency-key-reused"


class UnknownProduct(CheckoutProblem):
    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    problem_type = "unknown-product"


class MixedCurrencies(CheckoutProblem):
    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    problem_type = "mixed-currencies"


class NothingToPay(CheckoutProblem):
    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    problem_type = "nothing-to-pay"


class PriceChanged(CheckoutProblem):
    status_code = HTTPStatus.CONFLICT
    problem_type = "price-changed"


class InsufficientStock(CheckoutProblem):
    status_code = HTTPStatus.CONFLICT
    problem_type = "insufficient-stock"


class InStock(CheckoutProblem):
    status_code = HTTPStatus.CONFLICT
    problem_type = "in-stock"


class IntakeClosed(CheckoutProblem):
    """Staff hold new checkouts back; DRF turns ``wait`` into Retry-After, in seconds."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    problem_type = "intake-closed"
    wait = 60


class PastThePivot(CheckoutProblem):
    status_code = HTTPStatus.CONFLICT
    problem_type = "past-the-pivot"
