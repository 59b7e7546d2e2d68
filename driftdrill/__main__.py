"""python -m driftdrill"""

from driftdrill.harness.cli.main import main

if __name__ == "__main__":
    main()
