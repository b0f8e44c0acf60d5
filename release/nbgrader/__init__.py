"""The way through nbgrader: a course that it accepts, and our grader in place of its execution of notebooks."""
