"""Critical laboratory values: taken with read-back, told to a doctor, acknowledged with what was decided."""
