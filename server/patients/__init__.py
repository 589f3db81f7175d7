"""Patients and their stays, as the hospital tells them."""
