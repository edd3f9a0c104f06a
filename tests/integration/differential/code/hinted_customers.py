"""A model whose type hint is a list of Pydantic's models."""

import datetime
from typing import Any

import pydantic
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class Order(pydantic.BaseModel):
    item: str
    count: int = 1


class Customer(pydantic.BaseModel):
    name: str
    minutes: float
    vip: bool | None = None
    since: datetime.datetime | None = None
    orders: list[Order] = []


class HintedCustomers(PythonModel):
    def predict(self, model_input: list[Customer]) -> list[dict[str, Any]]:
        return [
            {"type": type(customer).__name__, **customer.model_dump()} for customer in model_input
        ]


set_model(HintedCustomers())
