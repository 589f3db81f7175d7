"""How the ward did: scanning, near misses, punctuality, alarms, infusions; never a ranking of persons."""
