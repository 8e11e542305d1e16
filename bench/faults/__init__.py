"""Kills, stops, cuts and fills what AIMS runs on, and checks afterwards that nothing was lost."""
