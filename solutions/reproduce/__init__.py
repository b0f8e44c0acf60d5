"""All figures and numbers of the exercise: `python -m solutions.reproduce --help`."""
