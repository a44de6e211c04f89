"""Settings: the environment (`TRANCHE_…`) becomes one frozen object."""

import base64
import binascii
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

OWN_PATHS = frozenset(
    {"charts", "connections", "docs", "endpoints", "example", "healthz", "keys", "metrics", "openapi.json", "projects",
     "readyz", "redoc", "sign-in", "sign-out", "static", "static-offline-docs", "v1",
     "waiting"}
)  # fmt: skip
"""The first parts of the service's own paths: a prefix that begins so could not be told from them."""
PORTS = re.compile("([0-9]{1,5})(?:-([0-9]{1,5}))?")
Days = Annotated[float, Field(ge=0, le=36_500)]
"""How long something is kept; 0: for ever, or as long as what it belongs to."""


class Settings(BaseSettings):
    """What a deployment may choose. Every field is the environment variable `TRANCHE_` + its name.

    secret_keys is read from `TRANCHE_SECRET_KEY`: 32 bytes in base64, a comma list for rotation, newest first.
    public_url: where others reach the service, such as https://tranche.example.com; unset: host and port.
    lock_timeout_s, statement_timeout_s, idle_in_transaction_timeout_s, keepalive_s: of sessions on PostgreSQL; 0: the
    server's own.
    cors_origins: sites whose scripts may call the API from a browser, a comma list such as https://notebooks.example.com.
    metrics_port: where the first process tells its metrics, the next ones on the ports after it; unset: nowhere.
    …_retention_days: `services.retention.pruning` says of which rows, docs/privacy.md what is in them.
    connections, streams, bodies_mb, calls_per_minute, failures_per_minute: of one process; of the rates, 0 is no bound.
    bodies_mb: a whole list is up to 50 MB, and one workspace takes half, so that 100 is the least.
    computations: dear ones at once in a process; 0: as many as there are processors. computations_each: of a workspace;
    0: one less, at least one. simulations_each: that wait or run, of a workspace.
    outbound_allow: networks that webhooks and vendors may live in although they are not public, a comma list.
    outbound_ports: of public hosts, that may be called, a comma list such as 443,8000-8999; empty: the usual ones.
    smtp_…: the server that e-mail is handed to, what it asks for, and the address that e-mail comes from; without a
    host none is sent. smtp_tls: after STARTTLS, from the first byte (tls, of port 465), or none.
    """

    # What is refused is named without its value: it may be a password.
    model_config = SettingsConfigDict(
        env_prefix="TRANCHE_", frozen=True, populate_by_name=True, extra="forbid", hide_input_in_errors=True
    )

    database_url: str = "sqlite:///./tranche.db"
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    public_url: str | None = Field(None, pattern=r"^https?://[^\s]+$", max_length=500)
    processes: int = Field(1, ge=1, le=64)
    pool_size: int = Field(10, ge=1, le=200)
    lock_timeout_s: float = Field(10, ge=0, le=3600)
    statement_timeout_s: float = Field(60, ge=0, le=86_400)
    idle_in_transaction_timeout_s: float = Field(300, ge=0, le=86_400)
    keepalive_s: int = Field(30, ge=0, le=7200)
    connections: int = Field(400, ge=10, le=100_000)
    streams: int = Field(100, ge=2, le=100_000)
    bodies_mb: int = Field(200, ge=100, le=100_000)
    body_timeout_s: float = Field(10, ge=0.05, le=3600)
    body_rate_kb_s: float = Field(20, ge=0, le=1_000_000)
    calls_per_minute: int = Field(6000, ge=0, le=10_000_000)
    failures_per_minute: int = Field(20, ge=0, le=10_000_000)
    computations: int = Field(0, ge=0, le=256)
    computations_each: int = Field(0, ge=0, le=256)
    simulations_each: int = Field(4, ge=1, le=1000)
    cache_mb: int = Field(100, ge=0, le=100_000)
    plan_change_threshold: float = Field(0.05, ge=0, le=1)
    log_level: Literal["info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(None, ge=1, le=65_000)
    shutdown_grace_s: float = Field(10, ge=0, le=3600)
    job_poll_s: float = Field(0.5, ge=0.01, le=60)
    job_retention_days: Days = 14
    simulation_retention_days: Days = 365
    event_retention_days: Days = 365
    webhook_delivery_retention_days: Days = 90
    webhook_attempt_retention_days: Days = 30
    vendor_body_retention_days: Days = 3
    vendor_delivery_retention_days: Days = 90
    vendor_quarantine_retention_days: Days = 365
    vendor_row_retention_days: Days = 30
    audit_retention_days: Days = 0
    worker_id: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]{1,100}$")
    outbound_allow: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    outbound_ports: Annotated[frozenset[int], NoDecode] = frozenset()
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    smtp_host: str | None = Field(None, pattern=r"^[A-Za-z0-9.:-]+$", max_length=253)
    smtp_port: int = Field(587, ge=1, le=65_535)
    smtp_user: str | None = Field(None, pattern=r"^[!-~]+$", max_length=200)
    smtp_password: SecretStr = SecretStr("")
    smtp_from: str | None = Field(None, pattern=r"^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$", max_length=254)
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field((), validation_alias="TRANCHE_SECRET_KEY")

    @property
    def base_url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def path_prefix(self) -> str:
        """The path under which the service is found, such as /plan; empty where it is the root."""
        return urlsplit(self.public_url or "").path.rstrip("/")

    @field_validator("public_url")
    @classmethod
    def plain_address(cls, url: str | None) -> str | None:
        """Raises ValueError for what is no http address of a host and, perhaps, a path that no page has."""
        if url is None:
            return None
        try:
            parts = urlsplit(url)
            known = bool(parts.hostname) and parts.port != 0
        except ValueError:
            known = False
        if not known or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("must be an address such as https://tranche.example.com or https://example.com/plan")
        path = parts.path.rstrip("/")
        if not re.fullmatch(r"(/[A-Za-z0-9._~-]*[A-Za-z0-9_~-])*", path):
            raise ValueError("its path must be parted words of letters, digits and -, such as /plan")
        first = path.split("/")[1] if path else ""
        if first in OWN_PATHS:
            raise ValueError(f"its path may not begin with /{first}, which is a path of the service itself")
        return url

    @field_validator("cors_origins", mode="before")
    @classmethod
    def split_origins(cls, value: object) -> object:
        """A comma list, split. Raises ValueError for what no browser calls an origin."""
        if not isinstance(value, str):
            return value
        origins = tuple(origin.strip() for origin in value.split(",") if origin.strip())
        for origin in origins:
            if origin != "*" and not re.fullmatch(r"https?://[^\s/?#@*]+", origin):
                raise ValueError(f"{origin[:100]} is no origin such as https://notebooks.example.com; * is all")
        return origins

    @field_validator("database_url")
    @classmethod
    def name_the_driver(cls, url: str) -> str:
        """`postgres://` and `postgresql://` mean psycopg 3; other databases are refused. Raises ValueError."""
        for scheme in ("postgres://", "postgresql://"):
            url = url.replace(scheme, "postgresql+psycopg://", 1) if url.startswith(scheme) else url
        if not url.startswith(("sqlite://", "postgresql+psycopg://")):
            raise ValueError("must start with sqlite:// or postgresql://")
        if url in ("sqlite://", "sqlite:///", "sqlite:///:memory:"):
            raise ValueError("must name a file, such as sqlite:///./tranche.db; what is in memory would be lost")
        return url

    @field_validator("processes")
    @classmethod
    def share_a_server(cls, count: int, given: ValidationInfo) -> int:
        """Raises ValueError for several processes on SQLite, where all who write wait for one lock."""
        if count > 1 and str(given.data.get("database_url", "")).startswith("sqlite"):
            raise ValueError(
                "must be 1 on SQLite, which lets one process write at a time; for more set TRANCHE_DATABASE_URL to a"
                " PostgreSQL database"
            )
        return count

    @field_validator("smtp_password")
    @classmethod
    def sendable(cls, password: SecretStr) -> SecretStr:
        """Raises ValueError for what SMTP's ways to sign in cannot carry."""
        if not password.get_secret_value().isascii():
            raise ValueError("must be in ASCII")
        return password

    @model_validator(mode="after")
    def name_a_sender(self) -> "Settings":
        """Raises ValueError for a mail server without an address to send from."""
        if self.smtp_host is not None and self.smtp_from is None:
            raise ValueError("TRANCHE_SMTP_HOST needs TRANCHE_SMTP_FROM, such as tranche@example.com")
        return self

    @field_validator("outbound_allow", mode="before")
    @classmethod
    def read_networks(cls, value: object) -> object:
        """A comma list, split. Raises ValueError for what is no network."""
        if not isinstance(value, str):
            return value
        try:
            return tuple(ip_network(network.strip()) for network in value.split(",") if network.strip())
        except ValueError as error:
            raise ValueError(f"must be a comma list of networks such as 10.0.0.0/8: {error}") from None

    @field_validator("outbound_ports", mode="before")
    @classmethod
    def read_ports(cls, value: object) -> object:
        """A comma list of ports and ranges, spelled out. Raises ValueError for what is neither."""
        if not isinstance(value, str):
            return value
        found: set[int] = set()
        for part in filter(None, value.replace(" ", "").split(",")):
            read = PORTS.fullmatch(part)
            first, last = (int(read[1]), int(read[2] or read[1])) if read else (0, 0)
            if not 1 <= first <= last <= 65_535:
                raise ValueError("must be a comma list of ports from 1 to 65535 and ranges such as 443,8000-8999")
            found.update(range(first, last + 1))
        return frozenset(found)

    @field_validator("secret_keys", mode="before")
    @classmethod
    def split_keys(cls, value: object) -> object:
        """A comma list, split. Raises ValueError for a key that is not 32 bytes in base64."""
        if not isinstance(value, str):
            return value
        keys = [key.strip() for key in value.split(",") if key.strip()]
        for key in keys:
            try:
                length = len(base64.b64decode(key, validate=True))
            except binascii.Error:
                length = 0
            if length != 32:
                raise ValueError(
                    "each key of TRANCHE_SECRET_KEY must be 32 bytes in base64; run tranche secret-key create"
                )
        return tuple(keys)
