"""Prints the labels of the customers in a JSON file: `python labels.py customers.json`."""

import json
import os
import sys
from pathlib import Path

from terna.erp.client import Client, Connection

connection = Connection(
    os.environ.get("TERNA_ERP_ENDPOINT", "https://localhost:8443/invocations"),
    ca=os.environ.get("TERNA_ERP_CA", "certs/ca.crt"),
    api_key_file=os.environ.get("TERNA_ERP_API_KEY_FILE", "secrets/api-keys/erp"),
    certificate=os.environ.get("TERNA_ERP_CERTIFICATE") or None,  # serving's own port asks for one
    key=os.environ.get("TERNA_ERP_KEY") or None,
)
customers = json.loads(Path(sys.argv[1]).read_text())

with Client(connection) as client:
    for batch in client.predict_in_batches(customers, probabilities=True):
        for each in batch:
            print(f"{each.label} ({each.probability:.0%}) by {each.model} version {each.version}")
