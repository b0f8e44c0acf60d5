"""Grades submissions of the self-supervised learning assignment behind a process wall."""
