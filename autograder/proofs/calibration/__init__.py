"""Calibration: what right and wrong submissions have at each threshold, over many seeds of data, weights and draws.

items.py lists the threshold items, measuring.py runs their checks, tails.py estimates how seldom a right submission is
refused, judging.py says what holds for a threshold, and pages.py draws and writes docs/calibration.md. The command is
`python -m autograder calibrate`.
"""
