/** Prints the labels of the customers in a JSON file: `npm run labels -- CUSTOMERS.json`. */

import { readFileSync } from "node:fs";
import { connect, type Customer, Refused } from "./client.js";

const {
  TERNA_ERP_ENDPOINT = "https://localhost:8443/invocations",
  TERNA_ERP_CA = "../../certs/ca.crt",
  TERNA_ERP_API_KEY_FILE = "../../secrets/api-keys/erp",
  TERNA_ERP_CERTIFICATE,
  TERNA_ERP_KEY,
} = process.env;

try {
  const predict = connect({
    url: new URL(TERNA_ERP_ENDPOINT).origin,
    ca: TERNA_ERP_CA,
    apiKey: TERNA_ERP_API_KEY_FILE,
    certificate: TERNA_ERP_CERTIFICATE,
    key: TERNA_ERP_KEY,
  });
  const customers: Customer[] = JSON.parse(readFileSync(process.argv[2] ?? "../customers.json", "utf8"));
  console.log(JSON.stringify(await predict(customers)));
} catch (error) {
  const { message, cause } = error as Error;
  console.error(error instanceof Refused ? `${error.status}: ${message}` : `${cause ?? message}`);
  process.exitCode = 1;
}
