"""The nurse's handheld: one screen per file, each a ``.py`` that hears and a ``.kv`` that draws."""
