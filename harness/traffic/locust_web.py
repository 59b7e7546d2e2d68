"""The drill in Locust's web interface: a tab that tells how it stands, its report, and why a start is refused."""

import json
from collections.abc import Callable, Mapping
from typing import Any

KEY = "drill"
REPORT = "drill/report"
"""The address of the report, below the interface's own."""

Row = tuple[str, str]
"""What, and what is said of it."""


class Tab:
    """What the tab shows; Locust's page asks for it every two seconds while a test runs."""

    def __init__(self, web_ui: Any, refused: Callable[[Mapping[str, str]], str | None]) -> None:
        """``refused`` is given the form of a start, and answers why it cannot begin, or None."""
        self.rows: tuple[Row, ...] = (("state", "not started yet"),)
        self.page = b""
        self._refused = refused
        self._add_tab(web_ui.template_args, web_ui.environment)
        web_ui.app.before_request(self._before)
        web_ui.app.after_request(self._after)
        prefix = getattr(web_ui.environment.parsed_options, "web_base_path", None) or ""
        view = web_ui.auth_required_if_enabled(self._report)
        web_ui.app.add_url_rule(f"{prefix}/{REPORT}", "drill_report", view)

    @staticmethod
    def _add_tab(arguments: dict[str, Any], environment: Any) -> None:
        structure = [{"key": "what", "title": "Drill"}, {"key": "said", "title": ""}]
        mine = {
            "extended_tabs": {"title": "Drill", "key": KEY},
            "extended_tables": {"key": KEY, "structure": structure},
            "extended_csv_files": {"href": f"./{REPORT}", "title": "Report of the drill"},
        }
        for name, entry in mine.items():
            arguments[name] = [*arguments.get(name, []), entry]

    def _before(self) -> Any:
        from flask import jsonify, request

        if request.method != "POST" or not request.path.endswith("/swarm"):
            return None
        why = self._refused(request.form)
        if why is None:
            return None
        self.rows = (("refused", why),)
        return jsonify({"success": False, "message": why, "host": request.form.get("host", "")})

    def _after(self, response: Any) -> Any:
        from flask import request

        if request.path.endswith("/stats/requests") and response.is_json and isinstance(response.json, dict):
            told = {"key": KEY, "data": [{"what": what, "said": said} for what, said in self.rows]}
            # Locust answers twice with one object, so ours may be in it already.
            others = [entry for entry in response.json.get("extended_stats", []) if entry["key"] != KEY]
            response.set_data(json.dumps(response.json | {"extended_stats": [*others, told]}))
        return response

    def _report(self) -> Any:
        from flask import make_response

        if not self.page:
            return make_response("there is no verdict yet", 404)
        return make_response(self.page)
