"""`python -m demo`: the reference learns, three submissions are graded, and one page shows both."""
