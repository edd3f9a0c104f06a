"""The active model: the one that answers."""

from terna.contracts.version import Version
from terna.errors import NoModel
from terna.predictor.predictor import Predictor


class ActiveModel:
    """The holder of the loaded version that answers; swapping it is one assignment.

    A request takes the predictor once and keeps it to its end, so it never sees two versions, and
    the old one is freed when its last request is answered.
    """

    def __init__(self) -> None:
        self._predictor: Predictor | None = None

    def get(self) -> Predictor:
        """Return the predictor for one request.

        Raises:
            NoModel: no version has been loaded yet.
        """
        if self._predictor is None:
            raise NoModel("No model is in production yet: promote a version, then ask again.")
        return self._predictor

    def swap(self, predictor: Predictor) -> None:
        """Make this predictor answer from now on."""
        self._predictor = predictor

    def serves(self, version: Version, backend: str) -> bool:
        """Return whether this version answers already, by this backend."""
        active = self._predictor
        return active is not None and (active.version, active.backend) == (version, backend)

    @property
    def predictor(self) -> Predictor | None:
        """The predictor that answers, if there is one."""
        return self._predictor

    @property
    def version(self) -> Version | None:
        """The version that answers, if there is one."""
        return self._predictor.version if self._predictor else None
