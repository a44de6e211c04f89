"""The demo."""

import argparse

from app.demo import run as demo


def run_demo(options: argparse.Namespace) -> int:
    return demo.run(options.port, keep_serving=not options.exit)
