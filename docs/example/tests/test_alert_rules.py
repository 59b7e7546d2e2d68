"""One test a recording: do the rules of this checkout still catch what they caught?"""

from driftdrill.pytest_plugin import drills


@drills("recordings/*.drill", rules="rules/*.yml", accept="accepted.yml")
def test_the_rules_catch_what_they_caught(drill):
    assert drill.judge().failures == []
