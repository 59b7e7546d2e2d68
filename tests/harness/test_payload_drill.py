"""Faults of the payload in a drill, from the scenario file to the verdict."""

import json

import numpy as np

from tests.harness import scenarios, toy
from tests.harness.command import Cli, assert_told
from tests.harness.toy import Answer, Toy

IMPORT = "from driftdrill.harness.traffic.payload import Null, WrongType\n"


def strict(number: int, body: object) -> Answer | None:
    """Refuses what is no number, and takes a number in quotes for 0."""
    x = body.get("x") if isinstance(body, dict) else None
    if isinstance(x, str):
        return Answer(json.dumps({"prediction": 0.0}))
    return None if isinstance(x, float) else Answer('{"detail": "x must be a number"}', 422)


def test_faults_of_the_payload_are_in_force_recorded_and_their_harm_is_counted(cli: Cli) -> None:
    faults = (
        "[Fault('null', Null('x'), strength=constant(0.5)), "
        "Fault('quoted', WrongType('x'), strength=constant(0.4), where=lambda rows: rows['x'] > 0.5)]"
    )
    file = scenarios.write(cli.folder, faults=faults, expect="[quiet('Down')]")
    file.write_text(IMPORT + file.read_text())
    with toy.serve(Toy(predict=strict)) as model:
        done = cli("run", file, "--target", model.url, "--json", "v.json")

    assert done.code == 0, done
    requests = done.recording.requests()
    null, quoted = requests.changed["null"], requests.changed["quoted"]
    inside = (requests.intended >= 165) & (requests.intended < 315)
    assert not (null | quoted)[~inside].any()
    assert 0.4 < null[inside].mean() < 0.6
    assert (requests.status == np.where(null & ~quoted, 422, 200)).all(), "each 422 is a null, and no other request"
    assert (requests.prediction[quoted].ravel() == 0).all()
    harms = {h["fault"]: h for h in json.loads((cli.folder / "v.json").read_text())["harms"]}
    assert {name: h["word"] for name, h in harms.items()} == {"null": "HARMFUL", "quoted": "HARMFUL"}
    assert harms["null"]["unanswered"] == int((null & ~quoted).sum())
    assert [f["seam"] for f in done.recording.meta.faults] == ["payload", "payload"]


def test_a_fault_of_a_column_that_is_not_sent_is_refused_before_any_request(cli: Cli, model: Toy) -> None:
    file = scenarios.write(cli.folder, faults="[Fault('null', Null('xx'))]")
    file.write_text(IMPORT + file.read_text())

    refused = cli("run", file, "--target", model.url).refused()

    assert_told(refused, r"fault 'null': no column 'xx' is sent in the body", "did you mean x")
    assert model.requests == 0
