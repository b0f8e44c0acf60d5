"""The exercise: what you fill in. Start with README.md; what is given lies in `provided/`."""
