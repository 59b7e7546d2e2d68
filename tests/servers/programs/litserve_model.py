"""LitServe: litserve_model.py FOLDER PORT."""

import sys
from pathlib import Path

import joblib
import litserve

folder, port = Path(sys.argv[1]), int(sys.argv[2])


class Iris(litserve.LitAPI):
    def setup(self, device):
        self.model = joblib.load(folder / "model.joblib")

    def decode_request(self, request):
        return request["rows"]

    def predict(self, rows):
        return self.model.predict(rows)

    def encode_response(self, output):
        return {"predictions": [float(v) for v in output]}


if __name__ == "__main__":
    server = litserve.LitServer(Iris(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, num_api_servers=1)
