"""What all pages share: a visit with its session, rendering, assets and errors."""
