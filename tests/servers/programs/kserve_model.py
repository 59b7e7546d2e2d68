"""KServe's model server, V1 and V2 at once: kserve_model.py FOLDER PORT."""

import sys
from pathlib import Path

import joblib
from kserve import Model, ModelServer
from kserve.utils.utils import get_predict_input, get_predict_response

folder, port = Path(sys.argv[1]), int(sys.argv[2])


class Iris(Model):
    def load(self):
        self.model = joblib.load(folder / "model.joblib")
        self.ready = True
        return self.ready

    def predict(self, payload, headers=None):
        return get_predict_response(payload, self.model.predict(get_predict_input(payload)), self.name)


iris = Iris("iris")
iris.load()
ModelServer(http_port=port, enable_grpc=False, workers=1).start([iris])
