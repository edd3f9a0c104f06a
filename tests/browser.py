"""Chromium without a window, driven by WebDriver: https://www.w3.org/TR/webdriver2/."""

import base64
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from terna.ports import free_port
from terna.processes import stop

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-http2",  # it would end requests when a network of the machine comes or goes
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",  # of a CA that no browser knows
    "--window-size=1490,960",
)

PATIENCE = 60
"""Seconds after which what a page has not shown it will not."""

TRIES = 3

BROKEN = "Something went wrong"
"""What MLflow's UI says when a part of it did not load: a browser gives up what it loads whenever
a network of the machine comes or goes, as those of containers do."""


class Browser:
    """One window of Chromium."""

    def __init__(self, driver: httpx.Client) -> None:
        self._driver = driver

    def open(self, address: str) -> None:
        self._post("url", {"url": "about:blank"})  # else only the part after # would change
        self._post("url", {"url": address})

    def open_until(self, address: str, words: str) -> None:
        """Open a page, and again where it does not show these words.

        A browser gives up what it loads whenever a network of the machine comes or goes.
        """
        for _ in range(TRIES):
            self.open(address)
            if self._shows(words, PATIENCE / TRIES):
                return
        raise AssertionError(f"{words!r} not in:\n{self.text()[:2000]}")

    def _shows(self, words: str, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while words not in self.text():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def text(self) -> str:
        """All that the page shows."""
        return str(self.run(TEXT))

    def wait_for(self, *words: str) -> str:
        """Return the page's text when it has these words; fails the test when it never does."""
        deadline = time.monotonic() + PATIENCE
        while not all(word in (text := self.text()) for word in words):
            assert time.monotonic() < deadline, f"{words} not in:\n{text[:2000]}"
            if BROKEN in text:
                self._post("refresh", {})
            time.sleep(0.2)
        return text

    def click(self, selector: str) -> None:
        """Click on the first element that a CSS selector finds, as soon as it can be clicked on."""
        self._when_it_can(selector, "click", {})

    def type(self, selector: str, text: str) -> None:
        """Type into the first element that a CSS selector finds, as soon as one can."""
        self._when_it_can(selector, "value", {"text": text})

    def press(self, name: str) -> None:
        """Click on what is called so, by its text or its tooltip: the last one that is shown."""
        deadline = time.monotonic() + PATIENCE
        while not self._press(name):
            assert time.monotonic() < deadline, f"no {name!r} to press in:\n{self.text()[:2000]}"
            time.sleep(0.2)

    def fill(self, label: str, text: str) -> None:
        """Type into the field of this label, as soon as one can."""
        self._when_it_can(FIELD.format(label=label), "value", {"text": text}, using="xpath")

    def wait_until(self, expression: str) -> None:
        """Return when JavaScript's expression holds; fails the test when it never does."""
        deadline = time.monotonic() + PATIENCE
        while not self.run(f"return {expression}"):
            assert time.monotonic() < deadline, f"never {expression}"
            time.sleep(0.2)

    def fields(self) -> dict[str, str]:
        """Return what is in each field that is shown, by its label and by its name."""
        found = self.run(FIELDS)
        assert isinstance(found, dict)
        return found

    def wait_for_fields(self, **values: str) -> dict[str, str]:
        """Return the fields when they have these values; fails the test when they never do."""
        deadline = time.monotonic() + PATIENCE
        while not values.items() <= (fields := self.fields()).items():
            assert time.monotonic() < deadline, f"{values} not in {fields}"
            time.sleep(0.2)
        return fields

    def _press(self, name: str) -> bool:
        found = self._post("elements", {"using": "xpath", "value": NAMED.format(name=name)})
        assert isinstance(found, list)
        for element in reversed(found):
            try:
                self._post(f"element/{next(iter(element.values()))}/click", {})
            except AssertionError:  # it is hidden, or covered, or gone
                continue
            return True
        return False

    def windows(self) -> list[str]:
        """Return the names of all windows, the first one first."""
        handles = self._get("window/handles")
        assert isinstance(handles, list)
        return handles

    def switch(self, window: str) -> None:
        """Go on in another window."""
        self._post("window", {"handle": window})

    def switch_to_opened(self) -> None:
        """Go on in the window that the page opens, as soon as it is there."""
        self._wait_for_windows(2)
        self.switch(self.windows()[1])

    def switch_to_opener(self) -> None:
        """Go on in the first window, when the one that it has opened is closed."""
        self._wait_for_windows(1)
        self.switch(self.windows()[0])

    def _wait_for_windows(self, count: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while len(self.windows()) != count:
            assert time.monotonic() < deadline, f"{len(self.windows())} windows, not {count}"
            time.sleep(0.1)

    def run(self, script: str, *arguments: object) -> object:
        """Run JavaScript in the page; returns what it returns."""
        return self._post("execute/sync", {"script": script, "args": list(arguments)})

    def console(self) -> list[str]:
        """Return what the browser has complained of since the last time."""
        entries = self._post("se/log", {"type": "browser"})
        assert isinstance(entries, list)
        return [entry["message"] for entry in entries]

    def resize(self, width: int, height: int) -> None:
        """Make the window so many pixels wide and high, with its frame."""
        self._post("window/rect", {"width": width, "height": height})

    def send_header(self, name: str = "", value: str = "") -> None:
        """Send a header with each request from now on, in place of the former one; or none."""
        headers = {name: value} if name else {}
        for command, parameters in (
            ("Network.enable", {}),
            ("Network.setExtraHTTPHeaders", {"headers": headers}),
        ):
            self._post("goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(str(self._get("screenshot"))))

    def _when_it_can(
        self, selector: str, command: str, body: dict[str, Any], using: str = "css selector"
    ) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                found = self._post("element", {"using": using, "value": selector})
                assert isinstance(found, dict)
                self._post(f"element/{next(iter(found.values()))}/{command}", body)
            except AssertionError:  # it is not there yet, or moves, or something covers it
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def _post(self, command: str, body: dict[str, Any]) -> object:
        return _value(self._driver.post(command, json=body))

    def _get(self, command: str) -> object:
        return _value(self._driver.get(command))


NAMED = (
    "//*[self::a or self::button or self::label or self::option or @role='tab' or @role='button']"
    "[normalize-space(.)='{name}' or @title='{name}' or @aria-label='{name}']"
)

"""What people press, by its text or its tooltip."""

FIELD = "(//*[@id=//label[normalize-space(.)='{label}:']/@for])[last()]"

FIELDS = """
const shown = (each) => each.offsetParent !== null;
const chosen = (each) => each?.selectedOptions?.[0]?.text;
const content = (each) => chosen(each) ?? each?.value ?? "";
const fields = [...document.querySelectorAll("input, textarea, select")].filter(shown);
const labels = [...document.querySelectorAll("label[for]")].filter(shown);
return Object.fromEntries([
    ...fields.map((each) => [each.name, content(each)]),
    ...labels.map((each) => [
        each.textContent.trim().replace(/:$/, ""),
        content(document.getElementById(each.htmlFor)),
    ]),
]);
"""

TEXT = "return document.body ? document.body.innerText : ''"


def is_installed() -> bool:
    """Return whether this machine has what Debian's chromium and chromium-driver bring."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


@contextmanager
def browser() -> Iterator[Browser]:
    """Run Chromium, where `is_installed`."""
    port = free_port()
    with subprocess.Popen(
        ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
                _wait(lambda: client.get("status").is_success)
                options = {"args": list(FLAGS), "binary": shutil.which("chromium")}
                logging = {"goog:loggingPrefs": {"browser": "WARNING"}}
                wanted = {"alwaysMatch": {"goog:chromeOptions": options, **logging}}
                made = client.post("session", json={"capabilities": wanted})
                session = _value(made)
                assert isinstance(session, dict)
                client.base_url = httpx.URL(
                    f"http://127.0.0.1:{port}/session/{session['sessionId']}"
                )
                yield Browser(client)
                client.delete("")
        finally:
            stop(process, 10, group=True)


def _wait(answers: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if answers():
                return
        except httpx.TransportError:
            assert time.monotonic() < deadline, "chromedriver does not answer"
        time.sleep(0.1)


def _value(answer: httpx.Response) -> object:
    value: object = answer.json()["value"]
    assert answer.is_success, value
    return value
