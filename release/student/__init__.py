"""`python -m release student OUT`: what a student gets, and nothing else.

    files.py         which files these are; of the autograder, what `check` imports
    rules.py         rubric.toml without the hidden items
    requirements.py  constraints.txt without what only instructors need
    leaks.py         what would give something away
    README.md, environment.yml     as they stand in the copy
"""
