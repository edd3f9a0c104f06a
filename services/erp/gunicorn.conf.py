"""How gunicorn runs Tryton: https://docs.gunicorn.org/en/stable/settings.html."""

bind = "unix:/run/erp/socket"  # in a folder that nobody but nginx may enter
worker_class = "gthread"
workers = 2
threads = 8
keepalive = 30  # more than the 20 s of nginx, which would else ask on a connection that closes
timeout = 120
graceful_timeout = 20
worker_tmp_dir = "/tmp"  # noqa: S108 - in memory, and the container's own
control_socket_disable = True
