"""The active model's description: OpenAPI for programs, and one page for people.

https://spec.openapis.org/oas/v3.1.0
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from mlflow.models import Model
from mlflow.types import ColSpec, DataType, ParamSchema, Schema, TensorSpec

from terna.contracts.open_inference import DATATYPES, HEADER_LENGTH
from terna.contracts.scoring import (
    AZURE_FORMS,
    CSV,
    FORMS,
    JSON,
    PARQUET,
    PREDICT_METHOD,
    PREDICT_METHODS,
)
from terna.predictor.inputs import column_names
from terna.predictor.mlflow_private import has_type_hints
from terna.predictor.predictor import Predictor
from terna.serving.http.open_inference_routes import BINARY
from terna.serving.http.response import HTML, TEXT

Json = dict[str, Any]

_TYPES: Mapping[DataType, Json] = {
    DataType.boolean: {"type": "boolean"},
    DataType.integer: {
        "type": "integer",
        "format": "int32",
        "minimum": -(2**31),
        "maximum": 2**31 - 1,
    },
    DataType.long: {
        "type": "integer",
        "format": "int64",
        "minimum": -(2**63),
        "maximum": 2**63 - 1,
    },
    DataType.float: {"type": ["number", "null"], "format": "float"},
    DataType.double: {"type": ["number", "null"], "format": "double"},
    DataType.string: {"type": ["string", "null"]},
    DataType.binary: {"type": "string", "contentEncoding": "base64"},
    DataType.datetime: {"type": "string", "format": "date-time"},
}
_SAMPLES: Mapping[DataType, Any] = {
    DataType.boolean: True,
    DataType.integer: 1,
    DataType.long: 1,
    DataType.float: 0.5,
    DataType.double: 0.5,
    DataType.binary: "dGV4dA==",
    DataType.datetime: "2026-11-21T08:30:00",
}


def document(predictor: Predictor) -> bytes:
    """Return the routes in OpenAPI 3.1, as JSON."""
    version = predictor.version
    name = f"/v2/models/{version.name}"
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": version.name,
                "version": str(version.number),
                "description": "One model, by MLflow's scoring protocol and by the Open Inference"
                " Protocol.",
            },
            "paths": {
                "/invocations": {"post": _invocations(predictor)},
                "/ping": {"get": _get("Whether a model answers", is_open=True)},
                "/health": {"get": _get("The same as /ping", is_open=True)},
                "/version": {"get": _get("MLflow's major version", always=True, is_open=True)},
                "/docs": {"get": _get("This document for people", HTML)},
                "/openapi.json": {"get": _get("This document")},
                "/v2": {"get": _get("The server's metadata", always=True, is_open=True)},
                "/v2/health/live": {
                    "get": _get("200 while the server runs", always=True, is_open=True)
                },
                "/v2/health/ready": {"get": _get("Whether a model answers", is_open=True)},
                "/v2/models": {"get": _get("The model's name", always=True)},
                name: {"get": _get("The model's tensors")},
                f"{name}/ready": {"get": _get("200 while this model answers")},
                f"{name}/infer": {"post": _infer()},
            },
            "components": {
                "schemas": {**_SCHEMAS, "Request": _request(predictor)},
                "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{"apiKey": []}],
        }
    ).encode()


def page(predictor: Predictor) -> bytes:
    """Return one HTML page that loads nothing else."""
    template = Template(files(__package__).joinpath("docs.html").read_text())
    version = predictor.version
    html = template.substitute(
        name=escape(version.name),
        number=version.number,
        backend=predictor.backend,
        inputs="".join(_table_rows(predictor.pyfunc().metadata.get_input_schema())),
        outputs="".join(_table_rows(predictor.pyfunc().metadata.get_output_schema())),
        params="".join(_parameter_rows(predictor.pyfunc().metadata.get_params_schema())),
        example=escape(json.dumps(example(predictor), indent=2, ensure_ascii=False)),
    )
    return html.encode()


def example(predictor: Predictor) -> Json:
    """Return a request that the model answers: its own example, else one from its schema.

    Each value of the row is of another row of the model's example, so that it is no customer's.
    """
    saved = json.loads(predictor.pyfunc().example or "{}")
    table = saved.get("dataframe_split")
    if table and table["data"]:
        cells = zip(*table["data"], strict=True)
        row = [_pick(column, i) for i, column in enumerate(cells)]
        return {"dataframe_records": [dict(zip(table["columns"], row, strict=True))]}
    return saved or _example_from_schema(predictor.pyfunc().metadata)


def _pick(cells: Iterable[Any], number: int) -> Any:
    """Return one of the values that are not missing, of another row for each column number."""
    known = [cell for cell in cells if cell is not None and cell == cell]  # NaN differs from itself
    return known[number % len(known)] if known else None


def _example_from_schema(metadata: Model) -> Json:
    schema = metadata.get_input_schema()
    if schema is None:
        return {"inputs": [[0.5]]}
    if schema.is_tensor_spec():
        tensors = {spec.name: _zeros(spec.shape) for spec in _tensors(schema)}
        return {"inputs": tensors if schema.has_input_names() else tensors[None]}
    kinds: list[Any] = schema.input_types()
    row = [_SAMPLES.get(kind, "text") for kind in kinds]
    if names := column_names(schema):
        return {"dataframe_records": [dict(zip(names, row, strict=True))]}
    by_type_hints = has_type_hints(metadata)
    return {"inputs": row} if by_type_hints else {"dataframe_split": {"data": [row]}}


def _tensors(schema: Schema | None) -> list[TensorSpec]:
    specs = schema.inputs if schema else []
    return [spec for spec in specs if isinstance(spec, TensorSpec)]


def _zeros(shape: tuple[int, ...]) -> Any:
    return [_zeros(shape[1:])] * abs(shape[0]) if shape else 0


def _invocations(predictor: Predictor) -> Json:
    content = _content("Request", example=example(predictor))
    table = {"schema": {"type": "string", "description": "A header and a line a row"}}
    return {
        "summary": "Ask for predictions",
        "requestBody": {"required": True, "content": {**content, CSV: table, PARQUET: {}}},
        "responses": {
            "200": _predicted("A prediction a row", _content("Predictions")),
            **_errors("Error"),
            "415": {"description": "Another content type", "content": {TEXT: {}}},
        },
    }


def _infer() -> Json:
    length = {
        "name": HEADER_LENGTH,
        "in": "header",
        "description": "How many bytes of the body are JSON, where tensors follow in binary",
        "schema": {"type": "integer", "minimum": 0},
    }
    outputs = _content("InferenceResponse") | {BINARY: {}}
    return {
        "summary": "Ask for predictions as tensors",
        "externalDocs": {"url": "https://github.com/kserve/open-inference-protocol"},
        "parameters": [length],
        "requestBody": {"required": True, "content": _content("InferenceRequest") | {BINARY: {}}},
        "responses": {
            "200": _predicted("The model's outputs", outputs),
            **_errors("InferenceError"),
            "415": {"description": "A compressed body", "content": _content("InferenceError")},
        },
    }


def _get(
    summary: str, content_type: str = JSON, always: bool = False, is_open: bool = False
) -> Json:
    """Return a GET route.

    Args:
        always: the route answers without a model too.
        is_open: it asks for no API key.
    """
    found = {"200": {"description": "As the summary says", "content": {content_type: {}}}}
    errors = {} if always else {"503": _unavailable({JSON: {}})}
    if is_open:
        return {"summary": summary, "security": [], "responses": found | errors}
    return {"summary": summary, "responses": found | _refused({JSON: {}}) | errors}


def _refused(content: Json) -> Json:
    descriptions = {
        "401": "There is no API key, or none that the server knows",
        "403": "The API key is for something else",
        "429": "The API key has sent more requests a second than it may",
    }
    return {
        status: {"description": description, "content": content}
        for status, description in descriptions.items()
    }


def _predicted(description: str, content: Json) -> Json:
    types = {"x-model-name": "string", "x-model-version": "string", "x-model-backend": "string"}
    headers = {name: {"schema": {"type": kind}} for name, kind in types.items()}
    return {"description": description, "headers": headers, "content": content}


def _errors(schema: str) -> Json:
    content = _content(schema)
    descriptions = {
        "400": "The rows do not fit the schema, or the model fails on them",
        "413": "The body is too large",
        "500": "The model's answer cannot be written",
        "504": "The model takes too long",
    }
    errors = {
        status: {"description": description, "content": content}
        for status, description in descriptions.items()
    }
    return errors | _refused(content) | {"503": _unavailable(content)}


def _unavailable(content: Json) -> Json:
    retry_after = {
        "description": "Seconds until it is worth asking again",
        "schema": {"type": "integer"},
    }
    description = "No model is in production yet, or more is asked than can be answered"
    return {"description": description, "headers": {"Retry-After": retry_after}, "content": content}


def _content(schema: str, **more: Any) -> Json:
    return {JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}, **more}}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _object(**properties: Json) -> Json:
    return {"type": "object", "required": list(properties), "properties": properties}


_TEXT: Json = {"type": "string"}
_ANYTHING: Json = {"type": "object"}
_TENSOR = _object(
    name=_TEXT,
    datatype={"type": "string", "enum": list(DATATYPES)},
    shape=_list({"type": "integer", "minimum": 0}),
)
_TENSOR["properties"] |= {"parameters": _ANYTHING, "data": _list({})}
_OUTPUT = _object(name=_TEXT)
_OUTPUT["properties"] |= {"parameters": _ANYTHING}
_INFER = _object(inputs=_list(_TENSOR))
_INFER["properties"] |= {
    "id": _TEXT,
    "parameters": _ANYTHING,
    "outputs": _list(_OUTPUT),
}
_SCHEMAS: Mapping[str, Json] = {
    "Error": _object(error_code=_TEXT, message=_TEXT),
    "Predictions": _object(predictions={}) | {"properties": {"predictions": {}, "classes": {}}},
    "InferenceError": _object(error=_TEXT),
    "InferenceRequest": _INFER,
    "InferenceResponse": _object(model_name=_TEXT, model_version=_TEXT, outputs=_list(_TENSOR)),
}


def _request(predictor: Predictor) -> Json:
    """Return the schema of a request: exactly one of the forms, and the parameters."""
    schema = predictor.pyfunc().metadata.get_input_schema()
    forms = _tensor_forms(schema) if schema is None or schema.is_tensor_spec() else _forms(schema)
    params = predictor.pyfunc().metadata.get_params_schema()
    known = _parameters(params) if params else {}
    if predictor.pyfunc().classes is not None:
        known = {PREDICT_METHOD: {"type": "string", "enum": list(PREDICT_METHODS)}} | known
    if known:
        forms["params"] = {"type": "object", "properties": known}
    return {
        "type": "object",
        "oneOf": [{"required": [form]} for form in (*FORMS, *AZURE_FORMS) if form in forms],
        "properties": forms,
    }


def _forms(schema: Schema) -> Json:
    names = column_names(schema)
    columns = {str(spec.name or i): _column(spec.type) for i, spec in enumerate(schema.inputs)}
    kinds = list(columns.values())
    needed = {"required": [str(name) for name in schema.required_input_names()]} if names else {}
    records = _list({"type": "object", "properties": columns, **needed})
    lists = {name: _list(kind) for name, kind in columns.items()}
    row = {"type": "array", "prefixItems": kinds}
    rows = _list(row | {"minItems": len(kinds), "maxItems": len(kinds)})
    values = map(_list, kinds) if len(kinds) == 1 else ()
    tables = {"anyOf": [records, rows, *values, {"type": "object", "properties": lists, **needed}]}
    split = _split(names, row)
    return {
        "dataframe_split": split,
        "dataframe_records": records,
        "inputs": tables,
        "instances": tables,
        "data": tables,
        "input_data": {"anyOf": [split, tables]},
    }


def _split(names: list[str], row: Json) -> Json:
    columns = _list(_TEXT) | ({"examples": [names]} if names else {})
    return {
        "type": "object",
        "required": ["data"],
        "properties": {"columns": columns, "index": _list({}), "data": _list(row)},
        "additionalProperties": False,
    }


def _tensor_forms(schema: Schema | None) -> Json:
    specs = _tensors(schema)
    if schema and schema.has_input_names():
        tensors = {str(spec.name): _nested(len(spec.shape)) for spec in specs}
        inputs: Json = {"type": "object", "properties": tensors, "required": list(tensors)}
    else:
        inputs = _nested(len(specs[0].shape)) if specs else {}
    return {
        "inputs": inputs,
        "instances": {"type": "array"} if specs else {},
        "dataframe_split": {"type": "object"},
        "dataframe_records": {"type": "array", "items": {"type": "object"}},
    }


def _nested(depth: int) -> Json:
    return {"type": "array", "items": _nested(depth - 1)} if depth else {}


def _column(kind: Any) -> Json:
    return dict(_TYPES.get(kind, {})) if isinstance(kind, DataType) else {}


def _parameters(schema: ParamSchema) -> Json:
    return {spec.name: _parameter(spec) for spec in schema.params}


def _parameter(spec: Any) -> Json:
    kind = _column(spec.dtype)
    default = {"default": spec.default} if _is_json(spec.default) else {}
    return ({"type": "array", "items": kind} if spec.shape else kind) | default


def _is_json(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool, list, type(None)))


def _table_rows(schema: Schema | None) -> Iterator[str]:
    for spec in schema.inputs if schema else ():
        needed = "" if spec.required else "optional"
        yield _cells(str(spec.name or "-"), _describe_type(spec), needed)


def _parameter_rows(schema: ParamSchema | None) -> Iterator[str]:
    for spec in schema.params if schema else ():
        kind = getattr(spec.dtype, "name", "object")
        yield _cells(spec.name, kind, f"default {spec.default}")


def _describe_type(spec: ColSpec | TensorSpec) -> str:
    if isinstance(spec, TensorSpec):
        return f"tensor of {spec.type}, shape {spec.shape}"
    return spec.type.name if isinstance(spec.type, DataType) else str(spec.type)


def _cells(*texts: str) -> str:
    return f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in texts)}</tr>\n"
