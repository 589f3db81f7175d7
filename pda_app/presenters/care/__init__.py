"""Care at the bedside that is no drug: samples, blood, skin tests; a step, its plans, how it is drawn."""
