"""The active model: the one that answers."""

from terna.contracts.version import Version
from terna.errors import NoModel
from terna.serving.endpoints.deployment import Deployment


class ActiveModel:
    """The holder of the loaded version that answers; swapping it is one assignment.

    A request takes the deployment once and keeps it to its end, so it never sees two versions, and
    the old one is freed when its last request is answered.
    """

    def __init__(self) -> None:
        self._deployment: Deployment | None = None

    def get(self) -> Deployment:
        """Return the deployment for one request.

        Raises:
            NoModel: no version has been loaded yet.
        """
        if self._deployment is None:
            raise NoModel("No model is in production yet: promote a version, then ask again.")
        return self._deployment

    def swap(self, deployment: Deployment) -> None:
        """Make this deployment answer from now on."""
        self._deployment = deployment

    def serves(self, version: Version, backend: str) -> bool:
        """Return whether this version answers already, by this backend."""
        active = self._deployment
        return active is not None and (active.version, active.backend) == (version, backend)

    @property
    def deployment(self) -> Deployment | None:
        """The deployment that answers, if there is one."""
        return self._deployment

    @property
    def version(self) -> Version | None:
        """The version that answers, if there is one."""
        return self._deployment.version if self._deployment else None
