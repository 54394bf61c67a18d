"""What staff fill in: an endpoint, and a span of time to replay."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from unfold.widgets import UnfoldAdminURLInputWidget

from notifications.models import WebhookEndpoint
from notifications.webhooks import guard

# Django's form classes are generic for the type checker only.
if TYPE_CHECKING:
    ModelForm: TypeAlias = forms.ModelForm[Any]
else:
    ModelForm = forms.ModelForm


class EndpointForm(ModelForm):
    """Where to send, and what."""

    url = forms.URLField(
        label="URL",
        max_length=500,
        assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
        help_text="Such as https://erp.shop.example/hooks; no redirect is followed.",
    )
    event_types = forms.MultipleChoiceField(
        label="Events", widget=forms.CheckboxSelectMultiple, help_text="See docs/events.md."
    )

    class Meta:
        model = WebhookEndpoint
        fields = ["url", "description", "event_types"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "event_types" in self.fields:
            choices = [(kind, kind.replace("_", " ")) for kind in settings.EVENT_CONSUMERS]
            self.fields["event_types"].choices = choices  # type: ignore[attr-defined]

    def clean_url(self) -> str:
        """Refuse an address that nothing is sent to."""
        url: str = self.cleaned_data["url"]
        guard.check_url(url)
        return url


class RangeForm(forms.Form):
    """Which deliveries to send again; moments are UTC."""

    since = forms.DateTimeField(
        label="Written from (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    until = forms.DateTimeField(
        label="to (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    only_given_up = forms.BooleanField(
        label="Only those that were given up", required=False, initial=True
    )

    @classmethod
    def for_the_last_day(cls) -> "RangeForm":
        """Return a form that asks for the last day."""
        now: datetime = timezone.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
        return cls(initial={"since": now - timedelta(days=1), "until": now, "only_given_up": True})

    def clean(self) -> dict[str, Any]:
        """Refuse a span that ends before it begins."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since >= until:
            raise ValidationError("The span ends before it begins: change one of the two.")
        return cleaned
