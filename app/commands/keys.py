"""API keys, and the key of stored secrets."""

import argparse
from contextlib import closing
from datetime import UTC, datetime

from app.commands.database import ready_database
from app.services.access.audit import note_key
from app.services.access.keys import create_key, peppers
from app.services.access.secrets import SecretBox, new_secret_key
from app.settings import Settings
from app.store.db import connect
from app.store.models.access import ApiKey


def run_key_create(options: argparse.Namespace) -> int:
    settings = Settings()
    scopes = [scope.strip() for scope in options.scopes.split(",") if scope.strip()]
    with ready_database(settings) as database, database.writing() as session:
        pepper = peppers(settings.secret_keys)[0]
        now = datetime.now(UTC)
        token = create_key(
            session,
            now,
            pepper,
            scopes,
            options.workspace,
            options.project,
            options.expires_at,
            options.name,
        )
        note_key(session, session.get_one(ApiKey, token.split("_")[1]), "key.made", now)
    print(token)
    return 0


def run_secret_key_create(_: argparse.Namespace) -> int:
    print(new_secret_key())
    return 0


def run_secret_key_renew(_: argparse.Namespace) -> int:
    from app.services.vendors import connections
    from app.services.webhooks.endpoints import renew_secrets

    settings = Settings()
    with closing(connect(settings)) as database, database.writing() as session:
        box = SecretBox(settings.secret_keys)
        renewed = renew_secrets(session, box) + connections.renew_secrets(session, box)
    print(f"{renewed} secrets encrypted anew")
    return 0
