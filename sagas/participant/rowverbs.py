"""Verbs on a row of the admin: a page that says what will happen, and a POST that does it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse

from sagas.participant.staff import ReadOnlyAdmin


class NotDone(Exception):
    """The row is not what the verb needs any more; the text says what is so now."""


@dataclass(frozen=True, kw_only=True)
class RowVerb:
    """What staff may do to a row.

    Args:
        name: stands in the URL.
        label: what the button says.
        explanation: what will happen, in whole sentences.
        permission: who may, such as ``orders.replay_inboxentry``.
        act: does it to the row with this key and returns what was done, in words; NotDone if
            the row has changed since it was looked at.
        is_offered: tells whether it makes sense for the row now.
    """

    name: str
    label: str
    explanation: str
    permission: str
    act: Callable[[Any], str]
    is_offered: Callable[[Any], bool]


class WithVerbs(ReadOnlyAdmin):
    """A read-only admin whose rows have verbs; each is kept in the admin's own log."""

    change_form_outer_before_template = "console/row_verbs.html"
    verbs: Sequence[RowVerb] = ()

    def get_urls(self) -> list[URLPattern]:
        """Put the verbs' pages before the admin's own."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_verb"
        page = self.admin_site.admin_view(self.verb_view)
        return [path("<path:object_id>/do/<slug:verb>/", page, name=name), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the row, and the verbs that it offers to this member of staff."""
        row = self.get_object(request, object_id)
        offered = [
            {"label": verb.label, "url": self._url(object_id, verb.name)}
            for verb in self.verbs
            if row and verb.is_offered(row) and request.user.has_perm(verb.permission)
        ]
        context = {**(extra_context or {}), "row_verbs": offered}
        return super().change_view(request, object_id, form_url, context)

    def verb_view(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """Show what a verb will do; POST does it."""
        wanted = next((each for each in self.verbs if each.name == verb), None)
        row = self.get_object(request, object_id)
        if wanted is None or row is None:
            raise Http404
        if not request.user.has_perm(wanted.permission):
            raise PermissionDenied
        page = reverse(
            f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[object_id]
        )
        if request.method == "POST":
            self._carry_out(request, row, wanted)
            return HttpResponseRedirect(page)
        shown = {"title": wanted.label, "row": row, "verb": wanted, "page": page}
        shown["offered"] = wanted.is_offered(row)
        context = {**self.admin_site.each_context(request), **shown}
        return render(request, "console/row_verb.html", context)

    def _carry_out(self, request: HttpRequest, row: Any, verb: RowVerb) -> None:
        try:
            words = verb.act(row.pk)
        except NotDone as no:
            messages.error(request, f"Not done: {no}.")
            return
        self.log_change(request, row, f"{verb.label}: {words}")
        messages.success(request, f"Done: {words}.")

    def _url(self, object_id: str, verb: str) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_verb"
        return reverse(name, args=[object_id, verb])
