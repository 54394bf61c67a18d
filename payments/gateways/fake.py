"""The fake provider of ``tooling.fakepay``: the same adapter, another address and play money."""

from django.conf import settings

from payments.gateways.stripe import Account, StripeGateway


class FakeGateway(StripeGateway):
    @property
    def account(self) -> Account:
        """The one account that the fake provider has."""
        return Account(
            secret_key="sk_test_fakepay",  # noqa: S106  (the fake provider takes any)
            webhook_secrets=(settings.FAKE_WEBHOOK_SECRET,),
            api_base=settings.FAKE_PROVIDER_URL,
            # Proxies of the environment are for the outside world; this one stands beside us.
            proxies=False,
        )
