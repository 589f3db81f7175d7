"""People who work on the ward: badges, PINs and sessions."""
