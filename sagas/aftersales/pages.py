"""Staff cancel an order, or give a part of one back: what will happen first, then the word."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from orders import services as orders
from orders.models import Order, OrderLine
from payments import services as payments
from sagas import journal, mandates
from sagas.aftersales import intake
from sagas.aftersales.intake import Wanted
from sagas.checkout.problems import CheckoutProblem
from sagas.console.verb_view import address_of, operator_of
from sagas.mandates import Mandate
from sagas.models import DATABASE, OperatorAction, Saga
from sagas.participant import crash
from sagas.participant.money import read, written


class Note(forms.CharField):
    """Why an operator does it."""

    def __init__(self) -> None:
        super().__init__(
            label="Why",
            max_length=500,
            widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "off"}),
            help_text="For the operator log. No names, addresses or card numbers.",
        )


class CancelForm(forms.Form):
    """An operator's word on a cancellation."""

    note = Note()


class RefundForm(forms.Form):
    """What is to be given back; one field for each line that has units left."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    amount = forms.DecimalField(
        required=False,
        min_value=Decimal("0.001"),
        max_digits=14,
        help_text="Leave it empty to give back what the units cost.",
    )
    reason = forms.ChoiceField(
        choices=[(each, each.replace("-", " ").capitalize()) for each in intake.REASONS]
    )
    note = Note()

    def __init__(self, *args: Any, order: Order, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order = order
        self.fields["amount"].label = f"Amount in {order.currency}"
        for line in _lines(order):
            left = line.quantity - line.returned
            self.fields[_units(line)] = forms.IntegerField(
                required=False,
                min_value=0,
                max_value=left,
                label=line.name,
                help_text=f"{line.sku}, {_price(line, order)} each, {left} left",
            )

    def clean(self) -> dict[str, Any]:
        """Refuse a form that names neither units nor an amount."""
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and not self.units and cleaned.get("amount") is None:
            self.add_error("amount", "Say how many units, or an amount, or both.")
        if (amount := cleaned.get("amount")) is not None:
            try:
                cleaned["minor"] = read(amount, self.order.currency)
            except ValueError as error:
                self.add_error("amount", str(error))
        return cleaned

    @property
    def units(self) -> list[dict[str, Any]]:
        """The lines that were chosen, as the API has them."""
        chosen = [(line.sku, self.cleaned_data.get(_units(line))) for line in _lines(self.order)]
        return [{"sku": sku, "quantity": quantity} for sku, quantity in chosen if quantity]

    @property
    def wanted(self) -> Wanted:
        """What the form asks for."""
        return Wanted(
            reason=self.cleaned_data["reason"],
            lines=self.units,
            amount=self.cleaned_data.get("minor"),
        )

    @property
    def line_fields(self) -> Sequence[forms.BoundField]:
        """The fields of the lines, in their order."""
        return [self[_units(line)] for line in _lines(self.order)]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What both pages say of an order; amounts in minor units."""

    order: Order
    charged: int
    refunded: int
    refundable: int


def cancel_page(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Show what cancelling an order will do; POST does it."""
    order = _order(request, order_id, intake.MAY_CANCEL)
    form = CancelForm(request.POST if request.method == "POST" else None)
    fault = ""
    if request.method == "POST" and form.is_valid():
        try:
            saga = intake.cancel(order)
        except CheckoutProblem as no:
            fault = str(no.detail)
        else:
            return _done(request, saga, "cancel_order", form.cleaned_data["note"])
    return _page(request, order, title=f"Cancel {order.number}", form=form, fault=fault)


def refund_page(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Ask what is to be given back, show what that comes to; a second POST does it."""
    order = _order(request, order_id, intake.MAY_REFUND)
    posted = request.POST if request.method == "POST" else None
    form = RefundForm(posted, order=order, initial={"key": uuid4()})
    if saga := _begun(request, order):
        # Pressed twice, or again after an answer that never came: it is done, whatever is left.
        return _done(request, saga, "refund_order", request.POST.get("note", ""))
    fault, amount = "", None
    if request.method == "POST" and form.is_valid():
        try:
            amount = intake.amount_of(order, form.wanted)
            # The amount that was shown is the amount that was agreed to.
            if request.POST.get("agreed") == str(amount):
                saga = intake.refund(
                    order,
                    form.wanted,
                    principal=_operator(request),
                    idempotency_key=str(form.cleaned_data["key"]),
                    limit=intake.limit_of(request.user),
                )
                return _done(request, saga, "refund_order", form.cleaned_data["note"])
        except CheckoutProblem as no:
            fault, amount = _in_words(no), None
    title = f"Give back a part of {order.number}"
    return _page(request, order, title=title, form=form, fault=fault, amount=amount)


def _page(
    request: HttpRequest,
    order: Order,
    *,
    title: str,
    form: forms.Form,
    fault: str,
    amount: int | None = None,
) -> HttpResponse:
    money = payments.money_of(saga_id=order.saga_id)
    shown = Shown(
        order=order,
        charged=money.captured,
        refunded=money.refunded,
        refundable=money.refundable,
    )
    return render(
        request,
        "console/aftersales.html",
        {
            **admin.site.each_context(request),
            "title": title,
            "shown": shown,
            "form": form,
            "fault": fault,
            "amount": amount,
            "is_refund": isinstance(form, RefundForm),
            "back": reverse("admin:orders_order_change", args=[order.pk]),
        },
        status=409 if fault else 200,
    )


def _done(request: HttpRequest, saga: Saga, verb: str, note: str) -> HttpResponseRedirect:
    """Log whose word began the saga, once, and go on to its page."""
    words = f"the {saga.kind} over {written(saga.amount, saga.currency)} is under way"
    mandate = Mandate(
        operator=operator_of(request), reason=note.strip()[:500], address=address_of(request)
    )
    with crash.committing("sagas.log_word", using=DATABASE):
        journal.sagas_now().select_for_update().get(pk=saga.pk)
        logged = OperatorAction.objects.using(DATABASE).filter(saga_id=saga.pk, verb=verb)
        if not logged.exists():
            mandates.write_log(saga.pk, verb, mandate, words, state=saga.state, epoch=saga.epoch)
    messages.success(request, f"{words.capitalize()}.")
    return HttpResponseRedirect(reverse("admin:sagas_saga_change", args=[saga.pk]))


def _begun(request: HttpRequest, order: Order) -> Saga | None:
    """Return the return that this very form has begun before."""
    try:
        key = UUID(request.POST.get("key", ""))
    except ValueError:
        return None
    return intake.refund_by_key(order, principal=_operator(request), idempotency_key=key)


def _operator(request: HttpRequest) -> str:
    """Return to whom the idempotency keys of the form belong."""
    return f"user:{request.user.pk}"


def _order(request: HttpRequest, order_id: UUID, permission: str) -> Order:
    if not request.user.has_perm(permission):
        raise PermissionDenied
    order = orders.all_orders().filter(pk=order_id).first()
    if order is None:
        raise Http404
    return order


def _lines(order: Order) -> list[OrderLine]:
    return [line for line in order.lines.all() if line.returned < line.quantity]


def _price(line: OrderLine, order: Order) -> str:
    return written(line.unit_price, order.currency)


def _units(line: OrderLine) -> str:
    return f"units_{line.pk}"


def _in_words(no: CheckoutProblem) -> str:
    return " ".join([str(no.detail), *(str(each["detail"]) for each in no.errors)])
