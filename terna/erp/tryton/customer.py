"""What the ERP knows of a customer that a model asks for, and the latest label."""

import datetime as dt
from typing import Any, Self

from sql import Literal
from sql.functions import CurrentTimestamp
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import ValidationError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval
from trytond.tools.immutabledict import ImmutableDict
from trytond.transaction import without_check_access

from terna.erp.tryton.label import LabelMixin

WHY = [
    (None, ""),
    ("new", "Nobody has asked yet"),
    ("asked", "Asked for, not answered yet"),
    ("refused", "The model refuses a value"),
    ("failed", "The model fails on these values"),
    ("unreachable", "Server 2 does not answer"),
    ("not_allowed", "Server 2 refuses the ERP's key"),
    ("not_configured", "The ERP is not set up to ask server 2"),
    ("other_model", "Server 2 serves another model"),
    ("other_schema", "The model asks for other features by now"),
]
"""Why there is no label, or none of the values as they are now."""

_UNTIL_SAVED = {"readonly": Eval("id", -1) > 0}


class Party(metaclass=PoolMeta):
    """Adds features, labels and outcomes to a party."""

    __name__ = "party.party"

    customer_features = fields.One2Many("terna.customer.features", "party", "Labels")
    outcomes = fields.One2Many("terna.outcome", "party", "Outcomes")

    @classmethod
    def view_attributes(cls) -> list[tuple[Any, ...]]:
        """Hide the masked name where the name itself is shown."""
        masked = ("//group[@id='masked_name']", "states", {"invisible": Bool(Eval("name"))})
        return [*super().view_attributes(), masked]

    @classmethod
    def fields_view_get(
        cls, view_id: int | None = None, view_type: str = "form", level: int | None = None
    ) -> dict[str, Any]:
        """Return a view; the page of labels has the endpoints' titles."""
        result: dict[str, Any] = super().fields_view_get(view_id, view_type, level)
        page = result["fields"].get("customer_features")
        with without_check_access():
            titles = [endpoint.title for endpoint in Pool().get("terna.endpoint").search([])]
        if page is None or not titles:
            return result
        titled = {"customer_features": page | {"string": " / ".join(titles)}}
        return result | {"fields": result["fields"] | titled}


class CustomerFeatures(LabelMixin, ModelSQL, ModelView):
    "Customer's Features"

    __name__ = "terna.customer.features"
    _history = True

    party = fields.Many2One(
        "party.party", "Party", required=True, ondelete="CASCADE", states=_UNTIL_SAVED
    )
    endpoint = fields.Many2One(
        "terna.endpoint", "Endpoint", required=True, ondelete="RESTRICT", states=_UNTIL_SAVED
    )
    values = fields.Dict(
        "terna.feature", "Features", domain=[("endpoint", "=", Eval("endpoint", -1))]
    )
    changed_at = fields.DateTime("Changed", readonly=True, help="When a feature changed last.")
    revision = fields.Integer("Revision", readonly=True, required=True)
    label = fields.Char("Label on Server 2", readonly=True)
    probability = fields.Float("Probability", digits=(1, 4), readonly=True)
    version = fields.Integer("Version", readonly=True)
    labelled_at = fields.DateTime("Time", readonly=True)
    age = fields.Function(
        fields.Integer("Age in Days", help="Of the label."), "get_age", searcher="search_age"
    )
    waiting = fields.Boolean("Waiting", readonly=True, help="The label is asked for.")
    question = fields.Integer(
        "Question", readonly=True, required=True, help="How often the label has been asked for."
    )
    asked_at = fields.DateTime("Asked", readonly=True)
    asked_revision = fields.Integer("Asked Revision", readonly=True)
    queued_until = fields.DateTime(
        "Queued until", readonly=True, help="A task that has not answered by then has died."
    )
    why = fields.Selection(
        WHY, "Why No Label", readonly=True, sort=False, states={"invisible": ~Eval("why")}
    )
    refused = fields.Dict(None, "Refused", readonly=True)
    messages = fields.Function(
        fields.Text("Values That the Model Refuses", states={"invisible": ~Eval("messages")}),
        "get_messages",
    )
    history = fields.One2Many("terna.label", "features", "Labels over Time", readonly=True)

    @classmethod
    def __setup__(cls) -> None:
        """Hold that a customer has the features of an endpoint once."""
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints += [
            (
                "party_endpoint_unique",
                Unique(table, table.party, table.endpoint),
                "terna.msg_customer_features_unique",
            )
        ]
        for column in (table.label, table.labelled_at):
            cls._sql_indexes.add(Index(table, (column, Index.Range()), (table.id, Index.Range())))
        cls._sql_indexes.add(
            Index(table, (table.id, Index.Range()), where=table.waiting == Literal(True))
        )

    @staticmethod
    def default_endpoint() -> int | None:
        """Return the endpoint where there is one only."""
        only: int | None = Pool().get("terna.endpoint").only()
        return only

    @staticmethod
    def default_revision() -> int:
        """Return the first revision of the values."""
        return 1

    @staticmethod
    def default_waiting() -> bool:
        """Return that the label is not asked for yet."""
        return False

    @staticmethod
    def default_question() -> int:
        """Return how often the label has been asked for."""
        return 0

    @staticmethod
    def default_why() -> str:
        """Return why there is no label."""
        return "new"

    def get_rec_name(self, name: str) -> str:
        """Return what the endpoint is called."""
        return self.endpoint.rec_name

    @classmethod
    def search_rec_name(cls, name: str, clause: Any) -> Any:
        """Find it by its endpoint."""
        return [("endpoint.rec_name", *clause[1:])]

    @fields.depends("endpoint", "values")
    def on_change_endpoint(self) -> None:
        """Show a field for each feature of the endpoint."""
        features = self.endpoint.features if self.endpoint else ()
        self.values = {feature.name: (self.values or {}).get(feature.name) for feature in features}

    @classmethod
    def read(cls, ids: list[int], fields_names: list[str]) -> list[dict[str, Any]]:
        """Read records, with the values that are missing too: forms show a field for each."""
        rows: list[dict[str, Any]] = super().read(
            ids, [*fields_names, *({"endpoint"} - set(fields_names))]
        )
        if "values" in fields_names:
            names = cls._feature_names({row["endpoint"] for row in rows})
            for row in rows:
                all_of_them = dict.fromkeys(names[row["endpoint"]]) | dict(row["values"] or {})
                row["values"] = ImmutableDict(all_of_them)
        return rows

    @classmethod
    def _feature_names(cls, endpoints: set[int]) -> dict[int, list[str]]:
        features = Pool().get("terna.feature").search([("endpoint", "in", list(endpoints))])
        names: dict[int, list[str]] = {endpoint: [] for endpoint in endpoints}
        for feature in features:
            names[feature.endpoint.id].append(feature.name)
        return names

    @classmethod
    def create(cls, vlist: list[dict[str, Any]]) -> list[Self]:
        """Create records, and note when their values changed."""
        at = now()
        return list(super().create([{"changed_at": at} | values for values in vlist]))

    @classmethod
    def write(cls, records: list[Self], values: dict[str, Any], *more: Any) -> None:
        """Write records; a value that changed makes a new revision.

        A value that is not given stays, and None removes one: a form of the web client that is
        saved before it has shown every feature gives those only that it has shown.
        """
        at = now()
        actions: list[Any] = []
        arguments = iter((records, values, *more))
        for some, change in zip(arguments, arguments, strict=True):
            if "values" not in change:
                actions += [some, change]
                continue
            for record in some:
                merged = change | {"values": record._merged(change)}
                if _known(record.values) != _known(merged["values"]):
                    merged |= {"changed_at": at, "revision": record.revision + 1, "refused": None}
                actions += [[record], merged]
        super().write(*actions)

    def _merged(self, change: dict[str, Any]) -> dict[str, Any] | None:
        """Return the values after a change; those of another endpoint, or None, replace all."""
        if change["values"] is None or change.get("endpoint", self.endpoint.id) != self.endpoint.id:
            return change["values"]
        names = {feature.name for feature in self.endpoint.features}
        kept = {name: value for name, value in _known(self.values).items() if name in names}
        return kept | dict(change["values"])

    @classmethod
    def validate_fields(cls, records: list[Self], field_names: set[str]) -> None:
        """Refuse values that are of no feature, or of another type.

        Raises:
            ValidationError: the first of them.
        """
        super().validate_fields(records, field_names)
        if field_names and not field_names & {"values", "endpoint"}:
            return
        for endpoint in {record.endpoint for record in records}:
            features = {feature.name: feature for feature in endpoint.features}
            for record in records:
                if record.endpoint == endpoint:
                    record._check_values(features)

    def _check_values(self, features: dict[str, Any]) -> None:
        for name, value in _known(self.values).items():
            if name not in features:
                raise ValidationError(
                    gettext("terna.msg_no_feature", feature=name, endpoint=self.endpoint.rec_name)
                )
            if why := features[name].why_not(value):
                raise ValidationError(gettext(f"terna.msg_{why}", feature=features[name].string))

    def get_age(self, name: str) -> int | None:
        """Return how many days old the label is."""
        return (now() - self.labelled_at).days if self.labelled_at else None

    @classmethod
    def search_age(cls, name: str, clause: Any) -> Any:
        """Find labels by their age in days."""
        _, operator, days = clause
        if days is None:
            return [("labelled_at", operator, None)]
        # A label of n whole days is from between n and n + 1 days ago.
        oldest, newest = now() - dt.timedelta(days=days + 1), now() - dt.timedelta(days=days)
        of_age = {
            "=": [("labelled_at", ">", oldest), ("labelled_at", "<=", newest)],
            "!=": ["OR", ("labelled_at", "<=", oldest), ("labelled_at", ">", newest)],
            "<": [("labelled_at", ">", newest)],
            "<=": [("labelled_at", ">", oldest)],
            ">": [("labelled_at", "<=", oldest)],
            ">=": [("labelled_at", "<=", newest)],
        }
        return of_age[operator]

    @staticmethod
    def order_age(tables: Any) -> list[Any]:
        """Sort by age: the newest label first."""
        table, _ = tables[None]
        return [CurrentTimestamp() - table.labelled_at]

    def get_messages(self, name: str) -> str:
        """Return a line for each value that the model refuses."""
        titles = {feature.name: feature.string for feature in self.endpoint.features}
        return "\n".join(
            gettext(f"terna.msg_{why}", feature=titles.get(feature, feature))
            for feature, why in (self.refused or {}).items()
        )


def now() -> dt.datetime:
    """Return the time as Tryton keeps it: of UTC, without a zone."""
    return dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)


def _known(values: Any) -> dict[str, Any]:
    """Return the values that are not missing."""
    return {name: value for name, value in (values or {}).items() if value is not None}
