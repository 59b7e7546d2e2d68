"""MLServer with its scikit-learn runtime: mlserver_model.py FOLDER PORT METRICS_PORT GRPC_PORT."""

import json
import os
import sys
from pathlib import Path

folder, port, metrics, grpc = Path(sys.argv[1]), *map(int, sys.argv[2:5])
settings = {
    "host": "127.0.0.1",
    "http_port": port,
    "grpc_port": grpc,
    "metrics_port": metrics,
    "metrics_dir": str(folder / "metrics"),
    "parallel_workers": 0,  # its worker processes do not start with current uvloop
}
model = {
    "name": "iris",
    "implementation": "mlserver_sklearn.SKLearnModel",
    "parameters": {"uri": str(folder / "model.joblib"), "version": "1"},
}
(folder / "settings.json").write_text(json.dumps(settings))
(folder / "model-settings.json").write_text(json.dumps(model))
program = str(Path(sys.executable).with_name("mlserver"))
os.execv(program, [program, "start", str(folder)])
