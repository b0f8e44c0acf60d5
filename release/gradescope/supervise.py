"""Starts the grader for one submission, watches over it, and keeps results.json valid all the time.

    python supervise.py /autograder

The grader (grade_one.py) is another process, which can be killed, run out of memory or take too long. It tells each item
when it is done. From that this process writes results.json, whole or not at all: while grading goes on, and at its end.
What was not graded counts nothing until the instructor runs it again: who can bring the grader down must not gain by it.
"""
import contextlib
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
sys.path.insert(0, str(SOURCE))

from autograder.report import ItemResult, Report, TaskResult, write_atomically  # noqa: E402
from autograder.sinks import gradescope  # noqa: E402

WRITE_SECONDS = 2  # how often results.json is written while grading goes on
GRACE_SECONDS = 10  # for the grader to end by itself when its time is up
STILL_RUNNING = "the autograder is still running, or was ended from outside"
NOT_GRADED = "not graded"


class GraderEnded(Exception):
    """The grader did not come to its end; the message says why, for the instructor and the student."""


@dataclasses.dataclass
class Told:
    """What the grader has told until now: what is to be graded, each item that is done, at the end the whole report."""

    tasks: list[dict] = dataclasses.field(default_factory=list)
    sandbox: str = "unknown"
    done: dict[str, ItemResult] = dataclasses.field(default_factory=dict)
    report: Report | None = None
    refused: str = ""  # why nothing may be run here

    def hear(self, line: bytes) -> None:
        data = json.loads(line)
        if "tasks" in data:
            self.tasks, self.sandbox = data["tasks"], data["sandbox"]
        elif "item" in data:
            item = ItemResult(**data["item"])
            self.done[item.id] = item
        elif "refused" in data:
            self.refused = data["refused"]
        else:
            self.report = Report.from_dict(data["report"])

    def so_far(self, why: str) -> Report:
        """A report in which what is not done counts nothing."""
        tasks = []
        for task in self.tasks:
            waiting = (dict(each, verdict="blocked", points=0.0, message=f"Not graded: {why}.") for each in task["items"])
            items = [self.done.get(each["id"]) or ItemResult(**each) for each in waiting]
            earned, most = sum(each.points for each in items), sum(each.max_points for each in items)
            tasks.append(TaskResult(task["id"], task["title"], round(earned, 6), round(most, 6), items, task["bonus"]))
        return self.whole(tasks, why)

    def whole(self, tasks: list[TaskResult], why: str) -> Report:
        def total(name: str, bonus: bool) -> float:
            return round(sum(getattr(each, name) for each in tasks if each.bonus == bonus), 6)

        count = sum(len(each.items) for each in tasks)
        note = f"{len(self.done)} of {count} items were graded: {why}. The others count nothing until it is run again"
        made = Report("submission", total("points", False), total("max_points", False), self.sandbox, [note], tasks)
        made.bonus, made.max_bonus = total("points", True), total("max_points", True)
        return made


def main(root: Path) -> int:
    """Grade the submission below `root`; 0 when it was graded to the end."""
    started = time.monotonic()
    settings = json.loads((SOURCE / "gradescope.json").read_text(encoding="utf-8"))
    told = Told()

    def save(why: str = STILL_RUNNING) -> None:
        save_results(root, settings, told, why, time.monotonic() - started)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    save()
    try:
        follow(root, told, save, started + settings["seconds"])
        save()
        say(gradescope.summary(told.report) + "\n")  # of all items; students do not see this log
        return 0
    except GraderEnded as ended:
        save(str(ended))
        say(f"{gradescope.summary(told.so_far(str(ended)))}\nautograder: {ended}\n")
    except BaseException as error:  # ours, or an interrupt: what is known is kept in any case
        save(f"the autograder failed ({type(error).__name__})")
        say(traceback.format_exc())
    return 1


def say(text: str) -> None:
    """For the instructor, as far as anybody can hear it."""
    with contextlib.suppress(OSError):
        os.write(1, text.encode())


def save_results(root: Path, settings: dict, told: Told, why: str, seconds: float) -> None:
    report = told.report or told.so_far(why)
    found = gradescope.results(report, settings["hidden_items"], seconds)
    found["extra_data"]["complete"] = told.report is not None
    if told.report is None:
        for test in found["tests"]:
            if test["extra_data"]["id"] not in told.done:
                mark_as_not_graded(test)
    write_atomically(root / "results" / "results.json", gradescope.dumps(found))


def mark_as_not_graded(test: dict) -> None:
    """Not one of our verdicts: the grader did not come to it."""
    test["name"] = test["name"].replace("[blocked]", f"[{NOT_GRADED}]")
    test["output"] = test["output"].partition("\n")[2]
    test["tags"] = [tag.replace("blocked", "not_graded") for tag in test["tags"]]
    test["extra_data"]["verdict"] = "not_graded"


def follow(root: Path, told: Told, save, deadline: float) -> None:
    """Run the grader and take down what it tells. Raises GraderEnded where it does not come to its end in time."""
    read_end, write_end = os.pipe()
    command = [sys.executable, "-P", "-s", str(SOURCE / "grade_one.py"), str(root), str(write_end)]
    grader = subprocess.Popen(command, pass_fds=[write_end], stdin=subprocess.DEVNULL, start_new_session=True, cwd="/")
    os.close(write_end)
    try:
        with open(read_end, "rb", buffering=0) as pipe:
            in_time = listen(pipe, told, save, deadline)
    finally:
        status = stop(grader)
    if not in_time:
        raise GraderEnded("the time ran out")
    if told.report is None:
        raise GraderEnded(told.refused or how_it_ended(status))


def listen(pipe, told: Told, save, deadline: float) -> bool:
    """Hear all lines until the grader closes its end; False where the time is up before."""
    pending, next_save = b"", 0.0
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([pipe], [], [], min(left, WRITE_SECONDS))[0]:
            continue
        data = pipe.read(1 << 16)
        if not data:
            return True
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            told.hear(line)
        if time.monotonic() > next_save:
            save()
            next_save = time.monotonic() + WRITE_SECONDS
    return False


def stop(grader: subprocess.Popen) -> int:
    """End the grader, if it has not ended, and all that it started; its exit status."""
    if grader.poll() is None:
        grader.send_signal(signal.SIGTERM)
        try:
            return grader.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(grader.pid, signal.SIGKILL)
    return grader.wait()


def how_it_ended(status: int) -> str:
    if status == -signal.SIGKILL:
        return "the grader was killed, as happens where the container has too little memory"
    return f"the grader ended with {f'signal {-status}' if status < 0 else f'status {status}'}"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
