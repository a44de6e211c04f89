"""How long rows are kept, and how a project or a workspace is erased."""
