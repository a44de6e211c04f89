"""Calls to the outside: which addresses may be called, and the one way to call them."""
