"""Calls for files: the report, and tables."""

from typing import Any

from tranche.answers import Json
from tranche.http import Connection, Identified, path, said


class ExportCalls(Connection):
    """`question` is that of `next_allocation`: budget, policy, exploration, draws, seed; of tables `runs` too."""

    def report(self, project: str | Identified, **question: Any) -> str:
        """The report as one HTML page that needs nothing else."""
        return self._file(path(project, "report"), said(question)).text

    def table_csv(self, project: str | Identified, name: str, **question: Any) -> str:
        """A table as CSV, such as "allocation", "groups", "orders" or "ledger"."""
        return self._file(path(project, "tables", f"{name}.csv"), said(question)).content.decode("utf-8-sig")

    def table_xlsx(self, project: str | Identified, name: str, **question: Any) -> bytes:
        """A table as a workbook."""
        return self._file(path(project, "tables", f"{name}.xlsx"), said(question)).content

    def provenance(self, project: str | Identified) -> Json:
        """Where every sample that is held comes from: `lots` with their licences, and whether they add up."""
        return self._call("GET", path(project, "provenance.json"))

    def provenance_md(self, project: str | Identified) -> str:
        """The same as Markdown, to be kept beside the data."""
        return self._file(path(project, "provenance.md"), {}).text

    def tables_xlsx(self, project: str | Identified, **question: Any) -> bytes:
        """All tables in one workbook."""
        return self._file(path(project, "tables.xlsx"), said(question)).content
