"""The calls under way, and what new ones are answered while the service stops."""

from asyncio import CancelledError

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.http.problems import answer
from app.errors import OutcomeUnknown, Unavailable

STOPPING = "The service is stopping. Nothing was changed; try again."
GIVEN_UP = (
    "The service stopped before this call ended. Send it again with the same Idempotency-Key, which gives it one"
    " effect, or read before you decide."
)
# A service that restarts is back in seconds, and of several the balancer knows another.
COME_BACK = {"Retry-After": "5", "Connection": "close"}


class Stoppable:
    """The service, which counts the calls under way; once it is `stopping`, new ones get a 503."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.under_way = 0
        self.stopping = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refused = self.stopping
        if refused:
            await answer(Unavailable(STOPPING, headers=COME_BACK))(scope, receive, send)
            return
        answered = False

        async def watched(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        self.under_way += 1
        try:
            await self.app(scope, receive, watched)
        except CancelledError:
            if answered or not self.stopping:
                raise
            await answer(OutcomeUnknown(GIVEN_UP, headers=COME_BACK))(scope, receive, send)
        finally:
            self.under_way -= 1
