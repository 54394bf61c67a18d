"""The one public door of payments: the provider's webhooks."""

from http import HTTPStatus

from django.conf import settings
from django.http import UnreadablePostError
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException, NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from payments import services, tasks


class WebhookNotVerified(APIException):
    """It proves nothing; the provider sends a real one again."""

    status_code = HTTPStatus.BAD_REQUEST
    problem_type = "webhook-refused"


class WebhookTooLarge(APIException):
    """It has more bytes than settings.DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    problem_type = "body-too-large"


class PaymentWebhook(APIView):
    """Verify an event, keep it, answer; what it means is found out later."""

    #: The signature over the body is the proof; it must be seen byte for byte.
    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = ()

    @extend_schema(exclude=True)
    def post(self, request: Request, provider: str) -> Response:
        """Answer 200 once the event is safe; the provider repeats whatever gets another answer."""
        if provider not in settings.PAYMENT_GATEWAYS:
            raise NotFound
        body = _body_of(request)
        try:
            event_id = services.receive_event(provider=provider, body=body, headers=request.headers)
        except services.WebhookRefused as refused:
            raise WebhookNotVerified(f"The webhook is refused: {refused}.") from refused
        if event_id is not None:
            tasks.send_event(event_id)
        return Response({"received": True})


def _body_of(request: Request) -> bytes:
    limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    try:
        body = request._request.read(limit + 1)
    except UnreadablePostError:
        raise WebhookNotVerified("The body ended before its announced length.") from None
    if len(body) > limit:
        raise WebhookTooLarge(f"The body may have {limit} bytes at the most.")
    return body
