"""to_onnx.py MODEL FOLDER: the forest of a signed model directory in ONNX, numbers as float32.

No converter knows the threshold: it goes beside the graph, with the names of the two labels.
"""

import json
import sys
from pathlib import Path
from typing import Any

import skops.io
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

TRUSTED = ["numpy.dtype", "sklearn.tree._tree.Tree"]
FORMS = {"text": StringTensorType, "number": FloatTensorType}


def main(model: Path, folder: Path) -> None:
    """Convert the forest of a model directory to ONNX."""
    fitted = skops.io.load(model / "model.skops", trusted=TRUSTED)
    graph = to_onnx(fitted.estimator_, initial_types=inputs(fitted), options={"zipmap": False})
    facts = {"threshold": fitted.threshold, "labels": fitted.classes_.tolist()}
    folder.mkdir(exist_ok=True)
    (folder / "forest.onnx").write_bytes(graph.SerializeToString())
    (folder / "forest.json").write_text(json.dumps(facts))


def inputs(fitted: Any) -> list[tuple[str, Any]]:
    """Return one column of n rows each: shape (n, 1)."""
    encoding = fitted.estimator_.named_steps["prepare"]
    return [
        (column, FORMS[kind]([None, 1]))
        for kind, _, columns in encoding.transformers_
        if kind in FORMS
        for column in columns
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
