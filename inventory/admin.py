"""Staff see everything; they change a product's description and correct the stock."""

from typing import TYPE_CHECKING, Any, TypeAlias

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from inventory import services
from inventory.models import (
    DATABASE,
    OutboxEvent,
    Product,
    Receipt,
    Reservation,
    ReservationLine,
    Stock,
)
from sagas.events.admin import OutboxAdmin
from sagas.participant import crash
from sagas.participant.staff import (
    ReadOnly,
    ReadOnlyAdmin,
    TabularInline,
    WithSaga,
    moment_of,
    money_of,
)

_PRICE = money_of("price")
_CREATED, _RELEASED = moment_of("created_at"), moment_of("released_at")
_DONE, _UNDONE = moment_of("done_at"), moment_of("undone_at")

# Django's form classes are generic for the type checker only.
if TYPE_CHECKING:
    ModelForm: TypeAlias = forms.ModelForm[Any]
else:
    ModelForm = forms.ModelForm

#: Units that one correction may add or take away at the most: more is a slip of the keyboard.
MOST_AT_ONCE = 100_000


class StockCorrection(ModelForm):
    """Asks for a difference, not for a sum: sales go on while staff count."""

    change_by = forms.IntegerField(
        label="Change on hand by",
        min_value=-MOST_AT_ONCE,
        max_value=MOST_AT_ONCE,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Such as 12 for a delivery, -1 for a broken unit, or 0.",
    )

    class Meta:
        model = Stock
        fields = ["low_at"]

    def clean_change_by(self) -> int:
        """Refuse what would leave fewer units than are held.

        The admin runs this and ``save_model`` in one transaction, so that the lock keeps the
        answer true until the stock is changed.
        """
        change: int = self.cleaned_data["change_by"]
        stock = Stock.objects.using(DATABASE).select_for_update().get(pk=self.instance.pk)
        if stock.available + change < 0:
            raise ValidationError(
                f"{stock.reserved} of {stock.on_hand} units are held for orders; "
                f"at most {stock.available} can be taken away."
            )
        return change


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    changeable = True
    list_display = ["sku", "name", _PRICE, "active", "on_hand", "reserved"]
    sortable_by = None
    list_filter = ["active"]
    list_select_related = ["stock"]
    search_fields = ["=sku"]
    search_help_text = "SKU"
    fields = ["sku", "name", "description", "price", "currency", "active", "created_at"]
    readonly_fields = ["sku", "currency", "created_at"]

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Name the transaction in which the admin saves."""
        if request.method != "POST":
            return super().changeform_view(request, *args, **kwargs)
        with crash.committing("inventory.edit_product", using=DATABASE):
            return super().changeform_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Product, form: ModelForm, change: bool) -> None:
        """Write only what was edited: another's edit of another field stays."""
        obj.save(update_fields=form.changed_data, using=DATABASE)

    @admin.display(ordering="stock__on_hand")
    def on_hand(self, product: Product) -> int:
        return product.stock.on_hand

    @admin.display(ordering="stock__reserved")
    def reserved(self, product: Product) -> int:
        return product.stock.reserved


@admin.register(Stock)
class StockAdmin(ReadOnlyAdmin):
    changeable = True
    form = StockCorrection
    list_display = ["product", "on_hand", "reserved", "available", "low_at"]
    sortable_by = None
    list_select_related = ["product"]
    search_fields = ["=product__sku"]
    search_help_text = "SKU"
    fields = ["product", "on_hand", "reserved", "change_by", "low_at"]
    readonly_fields = ["product", "on_hand", "reserved"]

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Name the transaction in which the admin checks the correction and makes it."""
        if request.method != "POST":
            return super().changeform_view(request, *args, **kwargs)
        with crash.committing("inventory.correct_stock", using=DATABASE):
            return super().changeform_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Stock, form: ModelForm, change: bool) -> None:
        """Change the units on hand by the difference that was asked for."""
        services.set_low_at(sku=obj.pk, low_at=form.cleaned_data["low_at"])
        services.adjust_stock(sku=obj.pk, change=form.cleaned_data["change_by"])


class ReservationLines(ReadOnly, TabularInline):
    model = ReservationLine
    hide_title = True
    fields = ["product", "quantity"]


@admin.register(Reservation)
class ReservationAdmin(WithSaga, ReadOnlyAdmin):
    list_display = ["id", "badge", "order_id", _CREATED, _RELEASED, "saga_short"]
    list_filter = ["status", "created_at"]
    search_fields = ["id", "saga_id"]
    search_help_text = "Reservation or saga id"
    fields = [("status", _CREATED, _RELEASED), ("saga", "order_id", "id")]
    readonly_fields = ["id", "saga", _CREATED, _RELEASED]
    inlines = [ReservationLines]

    @display(description="status", label={"HELD": "success", "RELEASED": "info"})
    def badge(self, reservation: Reservation) -> str:
        return str(reservation.status)


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = ["saga_id", "step", _DONE, _UNDONE, _CREATED]
    search_fields = ["saga_id"]
    search_help_text = "Saga id"


@admin.register(ReservationLine)
class ReservationLineAdmin(ReadOnlyAdmin):
    list_display = ["reservation", "product", "quantity"]
    list_select_related = ["reservation", "product"]
    ordering = ["-id"]
    search_fields = ["reservation__saga_id"]
    search_help_text = "Saga id"


admin.site.register(OutboxEvent, OutboxAdmin)
