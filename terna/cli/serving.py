"""Server 2's commands: the serving server and its agent."""

from terna.ports import check_free
from terna.settings import Settings


def serve() -> None:
    """Run the serving server, which follows the registry."""
    from terna.serving import logs
    from terna.serving.server import serve

    settings = Settings.load().serving
    logs.configure()
    check_free(settings.host, settings.port)
    serve(settings)


def agent() -> None:
    """Follow the registry on behalf of the serving server, which starts this."""
    from terna.serving import logs
    from terna.serving.agent import agent

    settings = Settings.load()
    logs.configure()
    agent.run(agent.build(settings), settings.serving)
