"""The table of rights."""

import argparse

from app.api.rights import as_markdown
from app.main import create_app
from app.settings import Settings


def run_rights(_: argparse.Namespace) -> int:
    print(as_markdown(create_app(Settings())))
    return 0
