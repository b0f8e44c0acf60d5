"""What observers of several modules read."""
from autograder.diagnosis import Raised
from autograder.student import StudentError


def refused(call, *args, **kwargs) -> str | Raised:
    """Whether a call raises a ValueError, of any subclass, or another exception, or accepts what it is given."""
    try:
        call(*args, **kwargs)
    except StudentError as error:
        return "ValueError" if isinstance(error, ValueError) else Raised(error.type_name)
    return "accepted"
