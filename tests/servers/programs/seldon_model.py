"""Seldon Core's Python wrapper: seldon_model.py FOLDER PORT METRICS_PORT GRPC_PORT."""

import os
import sys
from pathlib import Path

folder, port, metrics, grpc = Path(sys.argv[1]), *sys.argv[2:5]
(folder / "Iris.py").write_text(
    """
import joblib


class Iris:
    def __init__(self):
        self.model = joblib.load("model.joblib")

    def predict(self, X, features_names=None):
        return self.model.predict(X)
"""
)
os.chdir(folder)
program = str(Path(sys.executable).with_name("seldon-core-microservice"))
ports = ["--http-port", port, "--grpc-port", grpc, "--metrics-port", metrics]
os.execv(program, [program, "Iris", "--service-type", "MODEL", "--workers", "1", *ports])
