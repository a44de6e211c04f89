"""An example project of one click: made up, and worth looking at."""

from app.services.example.making import make_example

__all__ = ["make_example"]
