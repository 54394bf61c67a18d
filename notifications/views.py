"""The page on which who gets mails about products says that they want no more."""

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from notifications import notices


# The signed link is the proof, and mail programs post to it without a cookie (RFC 8058).
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, which mail programs send ahead of people; unsubscribe on POST."""
    notice = notices.notice_of(token)
    if notice is None:
        words = "It is not ours, or so old that we have forgotten your address."
        return _page(request, "This link is not known", words, HTTPStatus.NOT_FOUND)
    if request.method == "POST":
        notices.unsubscribe(notice)
        return _page(request, "Done", "We send you nothing more about products.")
    return _page(
        request,
        "No more mails about products?",
        "Your address is then taken off all products that you are waiting for. "
        "Mails about your orders are not touched.",
        asks=True,
    )


def _page(
    request: HttpRequest, title: str, words: str, status: int = 200, *, asks: bool = False
) -> HttpResponse:
    shown = {"title": title, "words": words, "asks": asks, "shop": settings.SHOP_NAME}
    page = render(request, "notifications/unsubscribe.html", shown, status=status)
    page["Referrer-Policy"] = "no-referrer"
    return page
