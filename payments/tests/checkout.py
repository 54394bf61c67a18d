"""A checkout as payments sees it: an id, an order, a token."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from payments import services
from payments.models import DATABASE, Kind, Payment, PaymentOperation

TOTAL = 4999


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """Charges and reverses one saga's payment as the saga's steps do."""

    token: str
    saga_id: UUID = field(default_factory=uuid4)
    order_id: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        services.register_method(checkout_id=self.saga_id, token=self.token)

    def charge(self) -> services.Result:
        return services.charge_payment(
            saga_id=self.saga_id, order_id=self.order_id, amount=TOTAL, currency="EUR"
        )

    def authorise(self) -> services.Result:
        return services.authorise_payment(
            saga_id=self.saga_id, order_id=self.order_id, amount=TOTAL, currency="EUR"
        )

    def capture(self) -> services.Result:
        return services.capture_payment(saga_id=self.saga_id)

    def reverse(self) -> services.Result:
        return services.reverse_payment(saga_id=self.saga_id)

    @property
    def money(self) -> services.Money:
        return services.money_of(saga_id=self.saga_id)

    @property
    def payment(self) -> Payment:
        return Payment.objects.using(DATABASE).get(saga_id=self.saga_id)

    @property
    def intent(self) -> str:
        return self.payment.provider_ref

    def operations(self, kind: Kind) -> list[PaymentOperation]:
        return list(
            self.payment.operations.using(DATABASE).filter(kind=kind).order_by("generation")
        )
