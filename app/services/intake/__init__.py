"""Manifests of what came: read row by row, held against a project's rules, and made a delivery."""
