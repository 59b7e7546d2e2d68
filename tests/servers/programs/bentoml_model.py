"""BentoML: bentoml_model.py FOLDER PORT."""

import os
import sys
from pathlib import Path

folder, port = Path(sys.argv[1]), sys.argv[2]
(folder / "iris.py").write_text(
    """
import bentoml
import joblib


@bentoml.service(workers=1)
class Iris:
    def __init__(self):
        self.model = joblib.load("model.joblib")

    @bentoml.api
    def predict(self, rows: list[list[float]]) -> list[float]:
        return [float(v) for v in self.model.predict(rows)]
"""
)
os.chdir(folder)
os.environ |= {"BENTOML_HOME": str(folder / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
bin = Path(sys.executable).parent
os.environ["PATH"] = f"{bin}{os.pathsep}{os.environ['PATH']}"
os.execv(str(bin / "bentoml"), ["bentoml", "serve", "iris:Iris", "--host", "127.0.0.1", "-p", port])
