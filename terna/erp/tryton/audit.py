"""Tells the audit log what people do with the ERP."""

import logging

from trytond.exceptions import UserError
from trytond.i18n import gettext
from trytond.transaction import Transaction

from terna.errors import SettingsError
from terna.security.audit import AuditLog
from terna.settings import Settings

logger = logging.getLogger(__name__)


def record(who: str, action: str, what: str = "", outcome: str = "ok") -> None:
    """Record an event of the request that this transaction answers.

    Where `TERNA_AUDIT_LOG` names no audit log, it goes to the server's log.

    Raises:
        UserError: the audit log cannot be written, so that what it would say must not happen.
    """
    where = (Transaction().context.get("_request") or {}).get("remote_addr") or ""
    settings = Settings.load().audit
    if "log" in settings.model_fields_set:
        _append(AuditLog(settings.log), who, action, what, where, outcome)
    else:
        logger.info("%s: %s %s from %s: %s", who, action, what, where or "here", outcome)


def _append(log: AuditLog, *event: str) -> None:
    try:
        log.record(*event)
    except SettingsError as error:
        logger.error("%s", error)
        raise UserError(gettext("terna.msg_audit_log")) from None
