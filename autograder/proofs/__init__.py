"""What proves the verdicts: right variants, mutants, calibration and the red team, each behind a command.

Nothing here runs while a class is graded, and no student gets any of it.
"""
