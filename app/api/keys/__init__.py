"""Keys of groups and sources as they come in, in bodies and in paths."""
