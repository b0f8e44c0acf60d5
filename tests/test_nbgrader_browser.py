"""nbgrader as people use it: formgrader for who grades and JupyterLab for students, in a real browser.

    NBGRADER_SCREENSHOTS=docs/images python -m pytest tests/test_nbgrader_browser.py    also writes the guide's pictures
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from autograder.misconceptions import entries, mutants
from tests.nbgrader_course import PART1, PART2, Course, answer, change, put_code

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver"),
]
TOKEN = "only-for-this-test"
SECONDS = 180  # for a page or a cell on a busy machine
ANSWER = "Among the nearest ones many share colors, not classes; see the figure. <img src=x onerror=\"document.title='acted'\">"
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mP8z8BQz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC"
)  # a red square


def wrong_warmup() -> str:
    return mutants.source_of("warmup") + mutants.override_source(entries("warmup.normalize")[0])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A course with one graded submission, which has a mistake and an answer."""
    course = Course(tmp_path_factory.mktemp("browser"))
    course.make()
    folder = course.hand_in("bob", course.path / "release" / "vicreg")
    put_code(folder)
    (folder / "assignment" / "warmup.py").write_text(wrong_warmup())
    answer(folder, ANSWER)
    change(folder, PART2, add_figure)
    course.run("nbgrader", "collect", "vicreg")
    course.autograde()
    return course


def add_figure(notebook) -> None:
    cell = next(each for each in notebook.cells if each.cell_type == "code")
    cell.outputs = [{"output_type": "display_data", "metadata": {}, "data": {"image/png": PNG, "text/html": "<b id=hostile>html</b>"}}]


@contextlib.contextmanager
def lab(folder: Path, home: Path):
    """A JupyterLab in `folder`; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--no-browser", "--ip=127.0.0.1", f"--port={port}", f"--ServerApp.root_dir={folder}", "--ServerApp.port_retries=0"]
    options += [f"--IdentityProvider.token={TOKEN}", "--allow-root", "--LabApp.expose_app_in_browser=True"]
    options += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    path = os.pathsep.join((str(Path(sys.executable).parent), os.defpath))
    environment = {"PATH": path, "HOME": str(home), "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}
    log = (home / f"lab-{port}.log").open("w")
    server = subprocess.Popen([sys.executable, "-m", "jupyter", "lab", *options], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/api?token={TOKEN}", server, log.name)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def wait_for(address: str, server, log: str) -> None:
    for _ in range(10 * SECONDS):
        assert server.poll() is None, Path(log).read_text()[-3000:]
        with contextlib.suppress(OSError), urllib.request.urlopen(address):
            return
        time.sleep(0.1)
    raise AssertionError(f"{address} does not answer")


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for each in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1100,820",
                 f"--user-data-dir={tmp_path / 'profile'}"):  # fmt: skip
        options.add_argument(each)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(SECONDS)
    yield driver
    driver.quit()


def until(browser, condition, what: str):
    return WebDriverWait(browser, SECONDS).until(condition, f"{what}; the page says: {text_of(browser)[-1500:]}")


def text_of(browser) -> str:
    return browser.execute_script("return document.body ? document.body.innerText : ''")


def picture(browser, name: str, selector: str = "") -> None:
    """A screenshot for the guide, if it was asked for: of the page, or of the last element that fits."""
    if folder := os.environ.get("NBGRADER_SCREENSHOTS"):
        shown = browser.find_elements(By.CSS_SELECTOR, selector)[-1].screenshot_as_png if selector else browser.get_screenshot_as_png()
        Path(folder, f"nbgrader-{name}.png").write_bytes(shown)


def test_points_feedback_and_criteria_stand_in_formgrader_and_what_is_typed_there_is_exported(made, browser):
    with lab(made.path, made.base / "home") as address:
        browser.get(f"{address}/formgrader?token={TOKEN}")
        until(browser, lambda page: page.find_elements(By.LINK_TEXT, "vicreg"), "the assignment is listed")
        picture(browser, "assignments")

        browser.get(f"{address}/formgrader/gradebook/vicreg/part1_vicreg")
        until(browser, lambda page: "Submission #1" in text_of(page) or "bob" in text_of(page), "the submission is listed")
        open_submission(browser)
        text = text_of(browser)
        assert "✗ failed" in text and "Hint:" in text and "1/2" not in text
        points = browser.find_element(By.CSS_SELECTOR, "input.score")
        assert 0 <= float(points.get_attribute("placeholder")) < 2
        show(browser, points)
        picture(browser, "feedback")

        browser.get(f"{address}/formgrader/gradebook/vicreg/part2_ablations")
        open_submission(browser)
        text = text_of(browser)
        assert "Criteria for Q8" in text and "Among the nearest ones" in text
        assert browser.title != "acted" and not browser.find_elements(By.ID, "hostile")
        assert browser.find_elements(By.CSS_SELECTOR, "img[src^='data:image/png']")
        type_grade(browser)
        picture(browser, "by-hand", ".nbgrader_cell")  # without the model answer above it
    totals, questions = made.export()
    (row,) = [each for each in questions if each["question"] == "q8"]
    assert (row["points"], row["graded"], row["comment"]) == ("1.5", "by hand", "Which figure shows it?")
    assert float(totals["vicreg", "bob"]["total"]) == 1.5 + sum(float(totals["vicreg", "bob"][name]) for name in ("warmup", "retrieval"))
    assert totals["vicreg", "bob"]["to_grade_by_hand"] == "0"
    assert "other points than before" not in made.autograde(), "grading again changes nothing"
    assert [each["points"] for each in made.export()[1] if each["question"] == "q8"] == ["1.5"], "and keeps what was typed"


def test_the_button_of_formgrader_grades_as_the_command_does(made, browser):
    before = made.export()
    shutil.rmtree(made.path / "autograded")
    with lab(made.path, made.base / "home") as address:
        browser.get(f"{address}/formgrader?token={TOKEN}")
        browser.get(f"{address}/formgrader/manage_submissions/vicreg")
        until(browser, lambda page: page.find_elements(By.CSS_SELECTOR, "td.autograde a"), "the submission is listed")
        browser.find_element(By.CSS_SELECTOR, "td.autograde a").click()
        until(browser, lambda page: "Successfully autograded" in text_of(page), "grading ends well")
    assert (made.path / "autograded" / "bob" / "vicreg" / PART1).is_file()
    assert made.export() == before


def open_submission(browser) -> None:
    link = until(browser, lambda page: page.find_elements(By.CSS_SELECTOR, "a[href*='/submissions/']"), "a submission is listed")[0]
    browser.get(link.get_attribute("href"))
    until(browser, lambda page: page.find_elements(By.CSS_SELECTOR, "input.score"), "fields for points")


def show(browser, element) -> None:
    browser.execute_script("arguments[0].scrollIntoView({block: 'start'}); window.scrollBy(0, -120)", element)
    time.sleep(1)


def type_grade(browser) -> None:
    """Points and a comment for the answer, as somebody types them, until the page says that they are saved."""
    score = browser.find_elements(By.CSS_SELECTOR, "input.score")[-1]
    comment = browser.find_elements(By.CSS_SELECTOR, "textarea.comment")[-1]
    show(browser, score)
    for field, text in ((score, "1.5"), (comment, "Which figure shows it?")):
        field.click()
        field.clear()
        field.send_keys(text)
        browser.execute_script("arguments[0].blur()", field)
        time.sleep(1)
    until(browser, lambda page: score.get_attribute("value") == "1.5", "the points are in their field")
    time.sleep(2)


RUN = """
const [id, done] = arguments, notebook = jupyterapp.shell.currentWidget.content;
const place = notebook.widgets.findIndex(each => each.model.id === id);
notebook.activeCellIndex = place;
notebook.scrollToItem(place, 'start').catch(() => {}).finally(
    () => jupyterapp.commands.execute('notebook:run-cell').then(() => done(notebook.widgets[place].node.innerText)));
"""
READY = """
const widget = window.jupyterapp && jupyterapp.shell.currentWidget;
return Boolean(widget && widget.context && widget.context.isReady && widget.content.widgets.length > 5
    && widget.sessionContext.session && widget.sessionContext.session.kernel
    && widget.sessionContext.session.kernel.status === 'idle');
"""


def test_a_student_runs_a_check_in_jupyterlab_and_reads_why_it_failed(made, browser):
    folder = made.fetch("carol")
    (folder / "assignment" / "warmup.py").write_text(wrong_warmup())
    with lab(folder.parent, made.base / "home") as address:
        browser.get(f"{address}/lab/tree/vicreg/{PART1}?token={TOKEN}&reset")
        until(browser, lambda page: page.execute_script(READY), "the notebook is open and its kernel idle")
        browser.execute_async_script(RUN, "setup")
        text = browser.execute_async_script(RUN, "check-warmup")
        until(browser, lambda page: "failed" in text_of(page), "a failed check")
        text = text_of(browser)
        assert "✗ failed" in text and "Hint:" in text and "Task 0: Warm-up" in text
        picture(browser, "student")
