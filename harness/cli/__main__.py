"""python -m driftdrill.harness.cli"""

from driftdrill.harness.cli.main import main

main()
