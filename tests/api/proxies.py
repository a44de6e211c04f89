"""Proxies in this process: what they hand on of a request, as nginx and Caddy do by docs/operations.md."""

from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass
class Proxy:
    """Serves `app` at https://HOST/PREFIX, and with `strips` takes the prefix away before. What lies beside the prefix
    is somebody else's."""

    app: ASGIApp
    prefix: str
    strips: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path != self.prefix and not path.startswith(f"{self.prefix}/"):
            await send({"type": "http.response.start", "status": 418, "headers": []})
            await send({"type": "http.response.body", "body": b"of somebody else"})
            return
        handed = {**scope, "scheme": "https"}
        if self.strips:
            handed["path"] = path.removeprefix(self.prefix) or "/"
            handed["raw_path"] = scope["raw_path"].removeprefix(self.prefix.encode()) or b"/"
        await self.app(handed, receive, send)
