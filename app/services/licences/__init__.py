"""What sources' licences permit, and whether a project's licence rule allows orders from them."""

from app.services.licences.rule import Because, Excluded, Licensed, judge
from app.services.licences.terms import METHODS, PERMISSIONS, LicenceTerms, effective_terms, licence_note, same_licence

__all__ = [
    "METHODS", "PERMISSIONS", "Because", "Excluded", "LicenceTerms", "Licensed", "effective_terms", "judge",
    "licence_note", "same_licence",
]  # fmt: skip
