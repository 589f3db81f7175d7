"""Orders by word of mouth: taken and read back by a nurse, signed by a doctor within the site's time."""
