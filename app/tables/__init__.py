"""Tables as files: pure functions from plain rows to CSV and XLSX. The only user of xlsxwriter."""
