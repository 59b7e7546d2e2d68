"""MLflow's scoring server: mlflow_model.py FOLDER PORT."""

import os
import sys
from pathlib import Path

import joblib
import mlflow.sklearn

folder, port = Path(sys.argv[1]), sys.argv[2]
model = joblib.load(folder / "model.joblib")
# The requirements are said, since finding them out takes half a minute.
mlflow.sklearn.save_model(
    model, folder / "mlflow", serialization_format="cloudpickle", pip_requirements=["scikit-learn"]
)
bin = Path(sys.executable).parent
os.environ["PATH"] = f"{bin}{os.pathsep}{os.environ['PATH']}"
where = ["-m", str(folder / "mlflow"), "-h", "127.0.0.1", "-p", port, "--env-manager", "local"]
os.execv(str(bin / "mlflow"), ["mlflow", "models", "serve", "--workers", "1", *where])
