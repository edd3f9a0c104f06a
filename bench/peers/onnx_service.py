"""What BentoML serves: the forest in ONNX, in the form that MLflow's protocol gives a table.

`async`, because that was faster here than the thread that BentoML starts for each other method.
"""

import json
import os
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
import onnxruntime


@bentoml.service
class Forest:
    """BentoML's service around a forest in ONNX."""

    def __init__(self) -> None:
        folder = Path(os.environ["TERNA_BENCH_FOREST"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # more only wait for each other on one row
        self._session = onnxruntime.InferenceSession(str(folder / "forest.onnx"), options)
        self._kinds = {
            column.name: np.float32 if column.type == "tensor(float)" else object
            for column in self._session.get_inputs()
        }
        self._facts = json.loads((folder / "forest.json").read_text())

    @bentoml.api
    async def invocations(self, dataframe_split: dict[str, Any]) -> dict[str, Any]:
        """Return a label a row, in the form of MLflow's response."""
        _, probabilities = self._session.run(None, self._feed(**dataframe_split))
        negative, positive = self._facts["labels"]
        chosen = (probabilities[:, 1] >= self._facts["threshold"]).tolist()
        return {"predictions": [positive if is_positive else negative for is_positive in chosen]}

    def _feed(self, columns: list[str], data: list[list[Any]]) -> dict[str, Any]:
        place = {name: number for number, name in enumerate(columns)}
        return {
            name: np.array([[row[place[name]]] for row in data], dtype=kind)
            for name, kind in self._kinds.items()
        }
