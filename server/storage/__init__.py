"""Facts at rest: schema, migrations, and the one writer that changes them."""
