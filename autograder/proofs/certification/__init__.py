"""Certification: does every check do its work, and does every mistake get its name?

`judging.py` puts one mistake, one right variant or one pair of mistakes to the checks; `results.py` does that for all and
keeps, judges and shows what came out. The command is `python -m autograder certify`.
"""
