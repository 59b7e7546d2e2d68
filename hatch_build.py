"""What a build of driftdrill does first: refuse a checkout without links; make the folder of an editable install."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOMS = ("harness", "shift_generators", "stack", "reports", "scenarios")
"""Links to the folders beside driftdrill/ in a checkout, folders in an sdist."""


class Rooms(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before each wheel, sdist and editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """End the build with the way out where a room is no folder: it would be a package of 15 files."""
        lost = [room for room in ROOMS if not Path(self.root, "driftdrill", room, "__init__.py").is_file()]
        if lost:
            links = f"for room in {' '.join(lost)}; do ln -sf ../$room driftdrill/$room; done"
            self.app.abort(
                f"driftdrill/ must hold links to the folders {' '.join(lost)} beside it, and they are not there:\n"
                "this checkout was made without symbolic links, by a zip download or by git with core.symlinks=false.\n"
                f"    {links}\nmakes them, in the checkout's folder"
            )
        if version == "editable":
            # What is put on sys.path: the checkout itself would give its tests, docs and rooms to every project. The
            # redirector of hatch's own dev-mode-exact would cost each start of Python some 30 ms.
            link = Path(self.root, ".editable", "driftdrill")
            link.parent.mkdir(exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(Path("..", "driftdrill"))
