"""The page: what it says, that it is one file, and what a real browser makes of it."""

import functools
import json
import re
import shutil
import subprocess
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from driftdrill.reports.data.verdict import Verdict
from driftdrill.reports.html import markup
from driftdrill.reports.html import page as html
from tests.reports.samples import SAMPLES, caught, harmless, hostile, silent, wall

VOID = ("meta", "link", "br", "hr", "img", "input")


class Page(HTMLParser):
    """Tags, attributes and texts of a page; complains about what does not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)


@functools.cache
def page_of(name: str) -> str:
    return html.render([SAMPLES[name]()])


@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_is_well_formed_and_needs_nothing_but_itself(name: str) -> None:
    text = page_of(name)
    page = Page(text)
    scripts = [a for tag, a in page.tags if tag == "script"]
    assert len(scripts) == 1
    assert "src" not in scripts[0]
    for tag, attributes in page.tags:
        assert not [a for a in attributes if a.startswith("on") or a in ("src", "srcset", "style", "action")], tag
        assert tag not in ("link", "img", "iframe", "object", "base", "form")
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in text
    assert "@import" not in text
    text.encode("utf-8")


@pytest.mark.parametrize("name", SAMPLES)
def test_every_drawing_is_named_or_hidden_from_who_cannot_see_it(name: str) -> None:
    page = Page(page_of(name))
    for tag, attributes in page.tags:
        if tag == "svg" and attributes.get("role") == "img":
            assert (attributes.get("aria-label") or "").strip()
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))


def test_the_policy_admits_the_pages_own_style_and_script_and_nothing_else() -> None:
    text = html.render([caught()])
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    for tag in ("style", "script"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        assert content is not None
        assert f"{tag}-src {markup.digest(content[1])}" in policy[1]
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]


def test_hostile_text_is_shown_as_text() -> None:
    page = Page(html.render([hostile()]))
    assert "<script>alert(1)</script>" in page.text
    assert "\\x1b[31m" in page.text
    assert "\\u202egnp.exe" in page.text
    assert not set(page.text) & {"\x00", "\x1b", "\u202e", "\ud800"}


def test_a_silent_failure_is_the_first_thing_that_a_page_says() -> None:
    page = Page(html.render([silent()]))
    assert page.texts[0] == "SILENT FAILURE: a wrong join gives each flight another flight's delay"
    head = page.text[:700]
    assert "SILENT FAILURE" in head
    assert "accuracy fell from 0.899 to 0.640 and no alert noticed" in head
    assert "PredictionDrift, came to 34 % of its threshold" in head
    assert "never fired" in page.text


def test_the_timeline_tells_when_the_fault_began_and_when_what_fired() -> None:
    text = html.render([caught()])
    labels = [a.get("aria-label") or "" for _, a in Page(text).tags]
    assert (
        "Phases: warm-up from 0s to 10m, baseline from 10m to 20m, fault from 20m to 44m, recovery from 44m to 1h"
        in labels
    )
    assert any(label.startswith('InputDrift{feature="dep_delay"}: FIRED, fired 10m40s to 10m55s') for label in labels)
    bar = re.search(
        r'<rect x="([\d.]+)%" width="([\d.]+)%"[^>]*class="firing"><title>firing from 30m45s to 52m45s', text
    )
    assert bar is not None
    assert float(bar[1]) == pytest.approx(100 * 1845 / 3600, abs=0.01)
    assert float(bar[2]) == pytest.approx(100 * (3165 - 1845) / 3600, abs=0.01)


def test_several_drills_share_a_page_with_an_overview_on_top() -> None:
    page = Page(html.render([caught(), silent(), harmless(), wall()], title="make demo"))
    assert "4 drills: 3 HELD, 1 SILENT FAILURE" in page.text
    assert [a["id"] for tag, a in page.tags if tag == "article"] == [f"drill-{i}" for i in (1, 2, 3, 4)]
    assert [a["href"] for tag, a in page.tags if tag == "a"] == [f"#drill-{i}" for i in (1, 2, 3, 4)]
    assert page.text.index("InputDrift after 10m40s to 10m55s") < page.text.index("An upstream service")


def test_every_plot_has_its_numbers_in_a_table() -> None:
    page = Page(html.render([wall()]))
    for column in ("warm-up", "baseline", "fault", "recovery"):
        assert column in page.texts
    assert "Mean (lowest to highest) of each series in each phase" in page.texts
    assert "When each alert was pending and firing" in page.texts


@pytest.mark.parametrize("name", ["a_day", "many_alerts"])
def test_a_page_stays_small_however_much_was_sampled(name: str) -> None:
    assert len(page_of(name).encode()) < 500_000


def test_latency_has_a_table_where_time_was_real() -> None:
    page = html.render([wall()])
    for shown in ("from the intended start", "from the send", "99.99 %", "1,432.107 ms"):
        assert shown in page
    assert "from the send" not in html.render([caught()])


def test_days_on_one_page_share_its_size() -> None:
    assert len(html.render([SAMPLES["a_day"]()] * 2).encode()) < 500_000


def test_a_drill_without_a_timeline_and_a_page_without_a_drill_say_so() -> None:
    assert "No timeline: the drill ended before it had one." in Page(html.render([SAMPLES["empty"]()])).text
    assert "no drills" in Page(html.render([])).text


PROBE = """
const out = { errors: [], width: innerWidth };
addEventListener("error", (e) => out.errors.push(String(e.message)));
addEventListener("securitypolicyviolation", (e) => out.errors.push(`${e.violatedDirective} ${e.blockedURI}`));
addEventListener("load", () => {
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  const root = document.documentElement;
  out.overflow = root.scrollWidth - root.clientWidth;
  out.wide = [...document.querySelectorAll("body *")].filter((e) =>
    !e.closest("svg") && getComputedStyle(e).position !== "absolute" && e.getBoundingClientRect().right > innerWidth + 1
  ).map((e) => e.tagName + "." + e.className).slice(0, 5);
  out.resources = performance.getEntriesByType("resource").map((r) => r.name);
  const timeline = document.querySelector(".timeline");
  const plot = timeline.querySelector(".plot").getBoundingClientRect();
  const clientX = plot.left + plot.width * 2400 / 3600;
  timeline.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY: plot.top, bubbles: true }));
  out.read = [...timeline.querySelectorAll("output")].map((o) => o.textContent);
  parent.document.documentElement.setAttribute("data-probe", JSON.stringify(out));
});
"""


def browse(verdicts: list[Verdict], folder: Path, width: int) -> tuple[dict[str, object], list[str]]:
    """Open a page in Chromium: what a probe measured inside it, and what the browser's console said.

    The page is in a frame, since Chromium's own window is never narrower than 500 px.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("chromium is not installed: the page was not opened in a browser")
    text = html.render(verdicts).replace("script-src ", f"script-src {markup.digest(PROBE)} ", 1)
    text = text.replace("<style>", f"<script>{PROBE}</script><style>", 1)
    page = folder / "page.html"
    frame = f'<iframe width="{width}" height="900" frameborder="0" srcdoc="{escape(text)}"></iframe>'
    page.write_text(f"<!doctype html><body>{frame}", encoding="utf-8")
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--disable-component-update", "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--window-size=1400,1000",
        "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    probe = re.search(r'<html data-probe="([^"]*)"', done.stdout.decode())
    assert probe is not None, done.stderr.decode(errors="replace")[-2000:]
    measured: dict[str, object] = json.loads(unescape(probe[1]))
    console = [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    return measured, console


Browsed = tuple[dict[str, object], list[str], int]


@pytest.fixture(scope="module", params=[480, 1280])
def browsed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Browsed:
    names = ("caught", "silent", "failed", "many_alerts", "hostile", "empty", "wall")
    folder = tmp_path_factory.mktemp("browser")
    return (*browse([SAMPLES[name]() for name in names], folder, request.param), request.param)


def test_a_browser_shows_the_page_without_errors_requests_or_sideways_scrolling(browsed: Browsed) -> None:
    measured, console, width = browsed
    assert measured["width"] == width
    assert measured["errors"] == []
    assert measured["overflow"] == 0
    assert measured["wide"] == []
    assert measured["resources"] == []
    assert console == []


def test_the_crosshair_reads_the_values_under_it(browsed: Browsed) -> None:
    read = browsed[0]["read"]
    assert isinstance(read, list)
    now, strength, accuracy, drift, _ = read
    assert now == "at 40m"
    assert strength == "1"
    assert 0.5 < float(accuracy) < 1
    assert float(drift) == pytest.approx(3.4, abs=0.1)
