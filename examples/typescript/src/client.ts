/** Asks Terna's serving server for labels. `serving.d.ts` is generated from its OpenAPI document. */

import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import { Agent, fetch, Request } from "undici";
import type { components, paths } from "./serving.js";

/** A customer's features by name, as the model in production takes them. */
export type Customer = NonNullable<components["schemas"]["Request"]["dataframe_records"]>[number];

/** Where serving is, and the files with which it is asked. */
export interface Connection {
  /** `https://HOST:8443` of the reverse proxy, or `https://HOST:8124` of serving itself. */
  url: string;
  ca: string;
  apiKey: string;
  /** Serving's own port asks for a client certificate; the reverse proxy does not. */
  certificate?: string;
  key?: string;
}

/** One label a customer, and the version that gave them all. */
export interface Predictions {
  labels: unknown[];
  model: string;
  version: number;
}

/** Serving answers, and says no. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
    /** Seconds until it is worth asking again, where waiting helps. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** Returns a function that asks for the labels of customers, on connections that are kept. */
export function connect(to: Connection) {
  const read = (file?: string) => (file ? readFileSync(file) : undefined);
  const tls = { ca: read(to.ca), cert: read(to.certificate), key: read(to.key) };
  const { POST } = createClient<paths>({
    baseUrl: to.url,
    headers: { authorization: `Bearer ${readFileSync(to.apiKey, "utf8").trim()}` },
    // undici's own, as Node's has no way to trust a CA of one's own.
    fetch: fetch as unknown as typeof globalThis.fetch,
    Request: Request as unknown as typeof globalThis.Request,
    requestInitExt: { dispatcher: new Agent({ connect: tls }) },
  });

  return async function predict(customers: Customer[]): Promise<Predictions> {
    const { data, error, response } = await POST("/invocations", {
      body: { dataframe_records: customers },
    });
    if (!data) throw refused(error, response);
    return {
      labels: data.predictions as unknown[],
      model: response.headers.get("x-model-name") ?? "",
      version: Number(response.headers.get("x-model-version")),
    };
  };
}

function refused(error: unknown, response: Response): Refused {
  const { message } = (error ?? {}) as Partial<components["schemas"]["Error"]>;
  const seconds = response.headers.get("retry-after");
  return new Refused(message ?? "", response.status, seconds ? Number(seconds) : undefined);
}
