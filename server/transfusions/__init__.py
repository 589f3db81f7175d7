"""Blood: issued, received, checked by two, given under watch, the empty bag returned."""
