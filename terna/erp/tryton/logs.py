"""No customer's value in trytond's logs, which name the arguments of a call as it is."""

import logging
from typing import Any

from trytond import backend

LOGGERS = (
    "trytond.protocols.dispatcher",
    "trytond.ir.cron",
    "trytond.worker",
    "trytond.transaction",
)
"""Who logs calls, and errors of calls and tasks."""

IN_DATABASE = (
    backend.DatabaseIntegrityError,
    backend.DatabaseDataError,
    backend.DatabaseOperationalError,
)


class WithoutValues(logging.Filter):
    """Leaves the arguments of a call out of a record, and the row that a database's error names."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, and let it through."""
        if isinstance(record.args, tuple):
            record.args = tuple(_without_arguments(each) for each in record.args)
        if record.exc_info and isinstance(record.exc_info[1], IN_DATABASE):
            kind, error, traceback = record.exc_info
            first_line = str(error).partition("\n")[0]
            record.exc_info = (kind, RuntimeError(first_line), traceback)  # type: ignore[assignment]
        return True


def keep_values_out() -> None:
    """Have trytond's loggers leave values out."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, WithoutValues) for each in logger.filters):
            logger.addFilter(WithoutValues())


def _without_arguments(value: Any) -> Any:
    return "(…)" if type(value).__name__ == "format_args" else value
