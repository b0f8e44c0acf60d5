"""Known mistakes: what to tell whoever makes one, and mutants that prove that the checks catch it.

An entry is a small function with a mistake in it, written as a student might have written it:

    @misconception("vicreg.variance_loss", "square root missing", "You compare the variance itself with γ …")
    def no_square_root(z, gamma=1.0, eps=1e-4):
        return F.relu(gamma - z.var(dim=0) - eps).mean()

The source of the function, put at the end of the reference's module, makes a mutant (mutants.py). So it may use only
what that module has imported or defines, and must not call the function that it replaces.

How the diagnosis (autograder/diagnosis.py) tells the mistakes in a function apart stands beside them:

    probe("vicreg.variance_loss", z)             the values for these arguments, where they depend on nothing else
    probe_gradient("vicreg.variance_loss", z)    the gradient there
    @observer("augmentations.random_flip")       anything else: a function of a submission that gives its facts
    @alteration("vicreg.variance_loss", "ε of 1e-3")   the same mistake as a change of any version, to be combined
    @freedom("vicreg.variance_loss")             a change that is no mistake

Only graders have this package: an entry with one mistake is nearly a solution.
"""
import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Entry:
    """A function that stands in for `target` ("module.function"): a misconception, or a variant in the tests."""

    target: str
    name: str
    function: Callable
    told: str = ""  # to the student: what it is, why it is wrong, what to look at; never the line to write
    convention: bool = False  # another convention of the literature rather than an error
    changes: bool = False  # the function takes the version below it and gives the changed one
    instead_of: tuple[str, ...] = ()  # names of mistakes in the same step, which nobody makes together with this one

    @property
    def task_module(self) -> str:
        return self.target.split(".")[0]


@dataclasses.dataclass(frozen=True)
class Probe:
    """Arguments on which the mistakes in a function differ; with `wrt`, its gradient there rather than its value."""

    args: tuple
    kwargs: dict
    wrt: tuple[int, ...] = ()
    output: str | None = None


_entries: list[Entry] = []
_alterations: list[Entry] = []
_freedoms: list[Entry] = []
_probes: dict[str, list[Probe]] = {}  # by target
_observers: dict[str, Callable] = {}  # by target


def misconception(target: str, name: str, told: str, convention: bool = False) -> Callable:
    """Register the decorated function as a known mistake in `target` ("module.function")."""

    def register(function: Callable) -> Callable:
        if any(each.target == target and each.name == name for each in _entries):
            raise ValueError(f"{target}: a second misconception with the name {name!r}")
        _entries.append(Entry(target, name, function, told, convention))
        return function

    return register


def alteration(target: str, name: str, instead_of: tuple[str, ...] = ()) -> Callable:
    """Register the decorated function, which takes a version of `target` and gives it with one more mistake.

    The mistake is the entry of that name; the diagnosis combines it with the others in the same function, but for those
    in `instead_of`: they are about the same step, which can be done wrong in one way only.
    """

    def register(function: Callable) -> Callable:
        entry = next(each for each in _entries if (each.target, each.name) == (target, name))
        _alterations.append(dataclasses.replace(entry, function=function, changes=True, instead_of=instead_of))
        return function

    return register


def freedom(target: str) -> Callable:
    """Register the decorated function, which takes a version of `target` and gives another one that is as right.

    The diagnosis puts it below every mistake: who makes one need not do everything else as the reference does.
    """

    def register(function: Callable) -> Callable:
        _freedoms.append(Entry(target, "", function, changes=True))
        return function

    return register


def probe(target: str, *args, **kwargs) -> None:
    """Register arguments on which the known mistakes in `target` differ from each other and from the right answer.

    Only for functions whose result depends on nothing but their arguments.
    """
    _probes.setdefault(target, []).append(Probe(args, kwargs))


def probe_gradient(target: str, *args, wrt: int | tuple[int, ...] = 0, output: str | None = None, **kwargs) -> None:
    """The same for the gradient with respect to the arguments in `wrt` (see Student.gradient)."""
    positions = (wrt,) if isinstance(wrt, int) else wrt
    _probes.setdefault(target, []).append(Probe(args, kwargs, positions, output))


def observer(target: str) -> Callable:
    """Register the decorated function as what tells the known mistakes in `target` apart, where probes cannot.

    It takes a Student, calls it (or runs scenarios), and returns facts by name: what a mistake changes, and what no
    right solution's freedom does. Numbers are compared with a tolerance of rounding; statistics of random draws go
    into `diagnosis.Near`. What the submission raises while it is observed counts as a fact, too.
    """

    def register(function: Callable) -> Callable:
        _observers[target] = function
        return function

    return register


def probes(target: str) -> list[Probe]:
    _load_all()
    return _probes.get(target, [])


def observer_of(target: str) -> Callable | None:
    _load_all()
    return _observers.get(target)


def nameable() -> set[str]:
    """The functions in which mistakes can be named: those that have probes or an observer."""
    _load_all()
    return set(_probes) | set(_observers)


@functools.cache
def _load_all() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def entries(target: str | None = None) -> list[Entry]:
    """All registered mistakes, or those of one "module.function" (or of one "module")."""
    _load_all()
    return [each for each in _entries if target is None or target in (each.target, each.task_module)]


def alterations(target: str) -> list[Entry]:
    """The mistakes in one "module.function" that can be combined with others there."""
    _load_all()
    return [each for each in _alterations if each.target == target]


def freedoms(target: str) -> list[Entry]:
    """Other right ways in one "module.function", as entries without a name."""
    _load_all()
    return [each for each in _freedoms if each.target == target]
