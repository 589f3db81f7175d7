"""One alarm per condition, whoever saw it first, and who answered it."""
