"""An endpoint of server 2, as the ERP knows it: which model labels, and what labels are called."""

from trytond.model import DeactivableMixin, ModelSQL, ModelView, fields


class Endpoint(DeactivableMixin, ModelSQL, ModelView):
    "Endpoint"

    __name__ = "terna.endpoint"

    name = fields.Char("Name", required=True, help="The registered model's name on server 2.")
    title = fields.Char("Title", required=True, translate=True)
