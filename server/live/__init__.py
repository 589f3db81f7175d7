"""The moving ward picture for wall screens: snapshot, deltas, credits, waves."""
