"""Reference solutions: the single source of the stubs in `assignment/` (`python -m release stubs`)."""
