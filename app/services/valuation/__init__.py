"""What the sources of a project have been worth so far."""
