"""Remove one container when the control pipe (stdin) closes without the word that it is removed.

Started by :mod:`driftdrill.stack.container`. Ryuk would do the same, but its image must be had first, and it wants the
engine's socket inside a container.
"""

import os
import sys
import time


def remove(name: str) -> None:
    """Remove the container and its volumes; one that is still being created is waited for."""
    from docker.errors import DockerException, NotFound
    from testcontainers.core.docker_client import DockerClient

    api = DockerClient(timeout=10).client.api
    for _ in range(20):
        try:
            api.remove_container(name, force=True, v=True)
            return
        except NotFound:
            time.sleep(0.2)
        except DockerException:
            time.sleep(0.5)
    print(f"driftdrill: container {name} may still run; docker rm -fv {name}", file=sys.stderr)


if __name__ == "__main__" and not os.read(0, 16).startswith(b"removed"):
    remove(sys.argv[1])
