"""Measurements: `python -m bench` lists the questions."""
