"""python -m terna.serving.compiled MODEL PROGRAM: compile one model directory, and exit.

The last line of what it prints is the reason when the model is not compiled, and its status is 1.
"""

import sys
from pathlib import Path

from mlflow.pyfunc import PyFuncModel, load_model

from terna.contracts import reference
from terna.contracts.errors import BadRequest, NotCompilable
from terna.serving.compiled.agreement import Rows, accepted
from terna.serving.compiled.apart import digest


def main(folder: Path, place: Path) -> None:
    """Save the program of a verified model directory in `place`, or exit with the reason."""
    try:
        model = load_model(str(folder))
        program, compared = accepted(model, _reference_rows(model, folder), digest(folder))
    except NotCompilable as error:
        sys.exit(str(error))
    program.save(place)
    sys.stdout.write(
        f"{program.kind}: {compared.rows} rows compared, every split of {compared.trees} of"
        f" {compared.of} trees tried, in {compared.seconds:.1f} s\n"
    )


def _reference_rows(model: PyFuncModel, folder: Path) -> Rows:
    """In the signature's order."""
    try:
        rows, _ = reference.read(folder)
    except (OSError, ValueError, KeyError, BadRequest) as error:
        raise NotCompilable("there are no reference rows to compare on") from error
    schema = model.metadata.get_input_schema()
    names = list(rows.columns or ())
    if schema is None or not schema.has_input_names() or not set(schema.input_names()) <= {*names}:
        raise NotCompilable("the reference rows do not have the signature's columns")
    order = [names.index(name) for name in schema.input_names()]
    return [[row[i] for i in order] for row in rows.values]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
