"""Timings, side by side with the peers they are measured against."""
