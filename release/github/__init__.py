"""`python -m release github OUT`: a template repository for students, and the workflow that grades what they push.

    template/      what the template repository has beside the student's copy: a workflow that gives advice
    instructor/    what goes into the instructor's private checkout of this project: the workflow that gives points

docs/github.md is the instructor's guide.
"""
