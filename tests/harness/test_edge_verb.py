"""`driftdrill edge` as a user meets it: the demo model's table, what it refuses to do, and how it ends early."""

import json
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from driftdrill.harness.cli.main import _run
from driftdrill.stack.model_service import Service, serve
from tests.harness.command import ROOT, Cli, Done, assert_told
from tests.harness.edge.servers import served
from tests.stack.services import upstream


@pytest.fixture(scope="module")
def demo() -> Iterator[Service]:
    with serve() as service:
        yield service


Here = Callable[..., Done]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """The verb in this process, in a folder with two files of rows: a start of its own would only cost time."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("x,kind\n4.0,a\n")
    (tmp_path / "wrong.csv").write_text("y\n4.0\n")

    def run(*args: str) -> Done:
        code = _run(["edge", *args], False)
        told = capsys.readouterr()
        return Done(code, told.out, told.err, tmp_path)

    return run


KNOWN = ["edge.duplicate_key.*", "edge.encoding.surrogate_*.different"]
"""What the demo model takes that it should not."""


def test_the_demo_model_refuses_what_is_no_row_and_the_table_says_what_it_takes(cli: Cli, demo: Service) -> None:
    done = cli("edge", "--target", demo.url, "--json", "out/edge.json")

    assert done.code == 1, done
    report = json.loads((cli.folder / "out" / "edge.json").read_text())
    outcome = {c["case"]: (c["outcome"], c["status"]) for c in report["cases"]}
    assert report["source"] == "/openapi.json"
    assert [f["code"] for f in report["findings"]] == [
        "edge.encoding.surrogate_escaped.different",
        "edge.encoding.surrogate_raw.different",
        "edge.duplicate_key.duplicate_key.different",
    ]
    for case in ("nan.nan", "nan.overflow", "wrong_type.quoted", "wrong_type.list", "batch_shape.many"):
        assert outcome[f"edge.{case}"] == ("rejected", 422)
    assert outcome["edge.wrong_type.nested"] == ("rejected", 400)
    assert outcome["edge.size.blanks"] == outcome["edge.batch_shape.reordered"] == ("same", 200)
    assert outcome["edge.null.null"] == ("different", 200)
    assert not {o for o, _ in outcome.values()} & {"crashed", "lost", "hung", "undecodable", "not_sent"}
    assert done.out.startswith("FINDINGS · 3 findings in")
    assert _rows(done.out) == _rows((ROOT / "docs" / "edge.md").read_text(encoding="utf-8")), "docs/edge.md shows this"
    assert "do: parse strictly" in done.out


def _rows(text: str) -> list[str]:
    """Outcome, status, case and column of each line of a table."""
    found = re.findall(r"^  ((?:rejected|same|different) +\d+ +edge\.\S+(?: +[a-z_]+)?)", text, re.MULTILINE)
    return [" ".join(row.split()) for row in found]


def test_accepted_findings_fail_nothing_and_a_batch_is_sent_where_the_target_takes_one(
    here: Here, tmp_path: Path, demo: Service
) -> None:
    (tmp_path / "driftdrill.toml").write_text(
        f"[targets.flights]\nurl = '{demo.url}'\nbody = '{{\"rows\": $rows}}'\nresult = 'predictions'\n"
    )
    accept = [word for code in KNOWN for word in ("--accept", code)]

    done = here("--target", "flights", *accept, "--json", "edge.json")

    assert done.code == 0, done
    report = json.loads((tmp_path / "edge.json").read_text())
    outcome = {c["case"]: c["outcome"] for c in report["cases"]}
    assert [outcome[f"edge.batch_shape.{name}"] for name in ("empty", "one_more", "many")] == ["same"] * 3
    assert all(f["accepted"] for f in report["findings"])
    assert done.out.startswith("HELD · no finding in")
    assert "(accepted)" in done.out


def test_a_row_of_a_file_is_sent_and_a_dead_service_is_told_first(here: Here) -> None:
    with served(lambda body, number: "die" if b"1e999" in body else None) as server:
        done = here("--target", server.url, "--rows", "rows.csv", "--grace", "0.2")

    assert done.code == 1, done
    lines = done.out.splitlines()
    assert lines[3].startswith("DEAD: since edge.nan.overflow the service no longer answers")
    assert lines.index("  edge.nan.overflow.dead") < lines.index("  edge.nan.overflow.lost")
    assert "not sent:" in done.out


def test_not_all_cases_sent_is_not_held(here: Here) -> None:
    with served() as server:
        done = here("--target", server.url, "--rows", "rows.csv", "--most", "12")

    assert done.code == 2, done
    assert done.out.startswith("INCOMPLETE")


def test_a_search_prints_the_curl_line_and_leaves_nothing_behind(cli: Cli) -> None:
    (cli.folder / "rows.csv").write_text("x\n0.5\n")
    with served(lambda body, number: (500, b"oh") if b'"x": null' in body else None) as model:
        broken = cli("edge", "--target", model.url, "--rows", "rows.csv", "--search", "--json", "s.json")

    assert broken.code == 1, broken
    assert broken.out.splitlines()[-2] == (
        f"curl -sS -i -H 'Content-Type: application/json' --data-binary '{{\"x\": null}}' {model.url}/predict"
    )
    assert json.loads((cli.folder / "s.json").read_text())["broken"]["change"] == "x = null"
    assert {p.name for p in cli.folder.iterdir()} == {"rows.csv", "s.json", ".stdout", ".stderr"}


@pytest.mark.parametrize(
    ("args", "cause", "remedy"),
    [
        ((), r"describes a row of /predict", r"--rows FILE\.csv"),
        (("--rows", "rows.csv", "--column", "knd"), "no column 'knd' is sent", "did you mean kind"),
        (("--rows", "rows.csv", "--truth", "label"), "no column 'label'", ""),
        (("--rows", "none.csv"), "none.csv: rows cannot be read", ""),
        (("--rows", "rows.csv", "--accept", "edge.nan.nam.crashed"), "no finding has the code", "edge.nan.nan.crashed"),
        (("--rows", "rows.csv", "--property", "no-nan"), "--property with --search", ""),
        (("--rows", "rows.csv", "--json", "rows.csv/x.json"), "cannot be written", ""),
        (
            ("--rows", "wrong.csv"),
            "answered 422 to a clean row",
            r"the row is of wrong\.csv, --rows FILE",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(here: Here, args: tuple[str, ...], cause: str, remedy: str) -> None:
    with served() as server:
        assert_told(here("--target", server.url, *args).refused(), cause, remedy)


def test_foreign_hosts_unknown_properties_and_absent_servers_are_refused(here: Here) -> None:
    assert_told(here("--target", "http://192.0.2.1:8000").refused(), "192.0.2.1 is not this", "--allow-host 192.0.2.1")
    assert_told(here("--target", "http://127.0.0.1:9").refused(), "does not answer", "is the model running")
    unknown = here("--target", "http://127.0.0.1:9", "--search", "--property", "no-6xx")
    assert unknown.code == 2
    assert "no-5xx" in unknown.err


def test_ctrl_c_prints_what_was_sent_so_far(cli: Cli) -> None:
    (cli.folder / "rows.csv").write_text("x,kind\n4.0,a\n")
    asked = threading.Event()

    def react(body: bytes, number: int) -> object:
        if b"Infinity" in body:
            asked.set()
            return "hang"
        return None

    with served(react) as server:
        running = cli.start("edge", "--target", server.url, "--rows", "rows.csv", "--timeout", 60)
        assert asked.wait(30), running.err
        running.send(signal.SIGINT)
        done = running.wait(20)

    assert_told(done.refused(130), "interrupted")
    assert "not all cases were sent: interrupted" in done.out
    assert "edge.nan.nan" in done.out


def test_a_case_that_leaves_nan_on_the_metrics_page_is_a_finding_that_asks_for_a_restart(here: Here) -> None:
    total, count = [0.0], [0]

    def answer(path: str, body: bytes) -> bytes:
        if path == "/metrics":
            return f"x_sum {total[0]}\nx_count {count[0]}\n".encode()
        if path != "/predict":
            return b"{}"
        with suppress(ValueError, LookupError, TypeError):
            total[0] += float(json.loads(body)["x"])
            count[0] += 1
        return b'{"prediction": 2.0}'

    with upstream(answer) as server:
        done = here("--target", server.url, "--rows", "rows.csv", "--json", "edge.json")

    findings = json.loads((done.folder / "edge.json").read_text())["findings"]
    (left,) = [f for f in findings if f["code"].endswith(".left_behind")]
    assert left["code"] == "edge.nan.nan.left_behind"
    assert "x_sum is NaN since" in left["seen"]
    assert "restart the service" in left["advice"]
