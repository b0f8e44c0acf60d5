"""What runs inside the wall: the fork server, the worker that calls student code, and the wire format.

Nothing in this folder may know an expected value: all of it is readable by student code.
"""
