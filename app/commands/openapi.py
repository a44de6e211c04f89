"""The contract."""

import argparse
import json

from app.main import create_app
from app.settings import Settings


def run_openapi(_: argparse.Namespace) -> int:
    print(json.dumps(create_app(Settings()).openapi(), indent=2, ensure_ascii=False))
    return 0
