"""The doctor's handheld: the ward in walking order and each patient's page. It reads; it records nothing."""
