"""One verb on one saga: GET shows the dry run, POST carries it out, if nothing has changed."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from sagas import journal
from sagas.console import approvals
from sagas.console.actions import VERBS, Verb, offer_of, permission_refusal
from sagas.console.preview import (
    Preview,
    Word,
    mandate_seen,
    must_hold,
    preview_of,
    read,
    verdict_of,
)
from sagas.evidence import CannotAsk, NotConfirmed
from sagas.mandates import Mandate
from sagas.models import DATABASE, ActionOutcome, OperatorAction, Saga
from sagas.operations import NotNow
from sagas.participant import crash
from sagas.registry import UnknownDefinition

#: Why a verb was not carried out; each says so in words.
REFUSALS = (NotNow, CannotAsk, NotConfirmed, UnknownDefinition, journal.Superseded)


def verb_page(
    request: HttpRequest, saga_id: UUID, name: str, *, context: dict[str, Any]
) -> HttpResponse:
    """Show the dry run of a verb, or carry it out.

    Args:
        context: what the admin's templates need.
    """
    verb = VERBS.get(name)
    saga = _saga(saga_id)
    if verb is None:
        raise Http404
    if permission_refusal(verb, saga, request.user):
        raise PermissionDenied
    if verb.direct:
        return _directly(request, saga, verb)
    if request.method == "POST":
        return _carry_out(request, saga, verb, context)
    return _show(request, saga, verb, context)


def address_of(request: HttpRequest) -> str | None:
    """Return from where the operator works, as the web server saw it."""
    return request.META.get("REMOTE_ADDR") or None


def operator_of(request: HttpRequest) -> AbstractBaseUser:
    """Return who is signed in; PermissionDenied if nobody is."""
    if not request.user.is_authenticated:
        raise PermissionDenied
    return request.user


def record_outcome(action: OperatorAction) -> None:
    """Write down how things stand once a verb was carried out."""
    saga = read(action.saga_id)
    verdict = verdict_of(saga).as_json()
    with crash.statement("sagas.record_outcome", using=DATABASE):
        ActionOutcome.objects.using(DATABASE).create(
            action=action, state=saga.state, verdict=verdict
        )


def _saga(saga_id: UUID) -> Saga:
    try:
        return read(saga_id)
    except Saga.DoesNotExist:
        raise Http404 from None


def _directly(request: HttpRequest, saga: Saga, verb: Verb) -> HttpResponse:
    """Carry a verb out that only writes into the log; by POST, like every other."""
    page = _page(saga)
    if request.method != "POST":
        return HttpResponseRedirect(page)
    word = Mandate(
        operator=operator_of(request),
        reason=request.POST.get("reason", "").strip()[:500],
        address=address_of(request),
    )
    try:
        messages.success(request, f"{verb.act(saga.pk, word).effect.capitalize()}.")
    except REFUSALS as no:
        messages.error(request, f"Not done: {no}.")
    wanted = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()})
    return HttpResponseRedirect(wanted if is_ours else page)


def _show(
    request: HttpRequest,
    saga: Saga,
    verb: Verb,
    context: dict[str, Any],
    *,
    form: Word | None = None,
    fault: str = "",
) -> HttpResponse:
    preview = _preview(saga, verb)
    offer = offer_of(verb, saga, preview.verdict, request.user)
    if form is None or fault:
        typed = (
            {"reason": form.data.get("reason"), "reference": form.data.get("reference")}
            if form
            else {}
        )
        form = Word(initial={"seen": preview.seen, **typed})
    if verb.needs_reference:
        form.require_reference()
    approval = approvals.open_one(saga, verb.name)
    return render(
        request,
        "console/verb.html",
        {
            **context,
            "title": offer.label,
            "saga": saga,
            "preview": preview,
            "verdict": preview.verdict,
            "verb": verb,
            "offer": offer,
            "form": form,
            "fault": fault,
            "approval": approval,
            "may_approve": approval and approvals.refusal(approval, request.user) == "",
            "second": approvals.is_needed(verb, saga),
            "limit": settings.CONSOLE_APPROVAL_AMOUNT,
            "page": _page(saga),
        },
        status=HTTPStatus.CONFLICT if fault else HTTPStatus.OK,
    )


def _carry_out(
    request: HttpRequest, saga: Saga, verb: Verb, context: dict[str, Any]
) -> HttpResponse:
    form = Word(request.POST)
    if verb.needs_reference:
        form.require_reference()
    if not form.is_valid():
        return _show(request, saga, verb, context, form=form)
    preview = _preview(saga, verb)
    try:
        must_hold(preview, form.cleaned_data["seen"])
        if why_not := offer_of(verb, saga, preview.verdict, request.user).why_not:
            raise NotNow(why_not)
        words = _agree_and_act(request, preview, verb, form)
    except REFUSALS as no:
        return _show(request, _saga(saga.pk), verb, context, form=form, fault=str(no))
    messages.success(request, words)
    return HttpResponseRedirect(_page(saga))


def _agree_and_act(request: HttpRequest, preview: Preview, verb: Verb, form: Word) -> str:
    """Carry the verb out, or ask for a second operator first; return what was done."""
    saga, user = preview.saga, operator_of(request)
    word = Mandate(
        operator=user,
        reason=form.cleaned_data["reason"],
        reference=form.cleaned_data["reference"],
        address=address_of(request),
        seen=mandate_seen(form.cleaned_data["seen"]),
        preview=[call.as_json() for call in preview.calls],
        verdict=preview.verdict.as_json(),
    )
    if approvals.is_needed(verb, saga):
        approval = approvals.open_one(saga, verb.name)
        if approval is None or approvals.refusal(approval, user):
            return approvals.ask_for(saga, verb.name, word, digest=preview.verdict.digest())
        approvals.use_up(approval, approved_by=user)
        word = approvals.with_both_names(word, approval)
    action = verb.act(saga.pk, word)
    record_outcome(action)
    return f"Done: {action.effect}."


def _preview(saga: Saga, verb: Verb) -> Preview:
    try:
        return preview_of(saga, verb)
    except (*REFUSALS, LookupError):
        # It is not offered, and the page says why; there is nothing to show before that.
        return Preview(saga=saga, verdict=verdict_of(saga), calls=[])


def _page(saga: Saga) -> str:
    return reverse("admin:sagas_saga_change", args=[saga.pk])
