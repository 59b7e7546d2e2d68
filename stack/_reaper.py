"""Remove one container when the control pipe on stdin closes without a word. Started by :mod:`stack.container`.

Ryuk would do the same, but its image must be pulled first and it needs the engine's socket inside a container.
"""

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


if __name__ == "__main__" and not sys.stdin.buffer.read():
    remove(sys.argv[1])
