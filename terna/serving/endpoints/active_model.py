"""The place of the model that answers."""

from terna.contracts.version import Version
from terna.errors import NoModel
from terna.predictor.predictor import Predictor


class ActiveModel:
    """Holds one loaded model; swapping it is one assignment.

    A request takes the model once and keeps it to its end, so it never sees two versions, and the
    old model is freed when its last request is answered.
    """

    def __init__(self) -> None:
        self._model: Predictor | None = None

    def take(self) -> Predictor:
        """The model for one request.

        Raises:
            NoModel: no version has been loaded yet.
        """
        if self._model is None:
            raise NoModel("No model is in production yet: promote a version, then ask again.")
        return self._model

    def swap(self, model: Predictor) -> None:
        self._model = model

    def holds(self, version: Version, compiled: bool) -> bool:
        """Whether this version answers already, and by this path."""
        model = self._model
        return model is not None and (model.version, model.compiled) == (version, compiled)

    @property
    def model(self) -> Predictor | None:
        """The model, if there is one."""
        return self._model

    @property
    def version(self) -> Version | None:
        return self._model.version if self._model else None
