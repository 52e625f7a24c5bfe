// A collector that speaks OTLP over HTTP, and shows what it was sent as trees of spans.
import http from 'node:http';
import type { AddressInfo } from 'node:net';

type Value = string | number | boolean;

interface SentValue {
  readonly stringValue?: string;
  readonly intValue?: number | string;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
}

interface SentSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly { readonly key: string; readonly value: SentValue }[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

interface SentTraces {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[] }[];
}

export interface Seen {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly began: bigint;
  readonly attributes: Readonly<Record<string, Value>>;
  readonly links: readonly string[];
  readonly error: string | undefined;
}

/** A span with what was done in it, in the order in which that began. */
export type Tree = readonly [label: string, ...children: Tree[]];

export class Collector {
  readonly spans: Seen[] = [];

  private constructor(private readonly server: http.Server) {}

  static async open(): Promise<Collector> {
    const server = http.createServer((req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        const sent = JSON.parse(Buffer.concat(chunks).toString()) as SentTraces;
        for (const { scopeSpans } of sent.resourceSpans)
          for (const { spans } of scopeSpans) collector.spans.push(...spans.map(seen));
        res.setHeader('Content-Type', 'application/json').end('{}');
      });
    });
    const collector = new Collector(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1/traces`;
  }

  named(name: string): Seen[] {
    return this.spans.filter((span) => span.name === name);
  }

  /** @param label what is to be seen of a span */
  tree(root: Seen, label: (span: Seen) => string): Tree {
    const children = this.spans
      .filter(({ parentSpanId, traceId }) => parentSpanId === root.spanId && traceId === root.traceId)
      .sort((a, b) => (a.began < b.began ? -1 : 1));
    return [label(root), ...children.map((child) => this.tree(child, label))];
  }

  forget(): void {
    this.spans.length = 0;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function seen(sent: SentSpan): Seen {
  const { traceId, spanId, parentSpanId, name, startTimeUnixNano, attributes = [], links = [], status } = sent;
  return {
    name,
    traceId,
    spanId,
    parentSpanId: parentSpanId === '' ? undefined : parentSpanId,
    began: BigInt(startTimeUnixNano),
    attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)])),
    links: links.map((link) => link.spanId),
    error: status?.code === 2 ? (status.message ?? '') : undefined,
  };
}

function valueOf({ stringValue, intValue, doubleValue, boolValue }: SentValue): Value {
  if (intValue !== undefined) return Number(intValue);
  return stringValue ?? doubleValue ?? boolValue ?? '';
}
