"""Routes of charts, tables and reports."""
