// Traces that begin in the browser: a request that is chosen is sent with a traceparent
// (W3C Trace Context), and how long it took is told to the server, which asks for this in hello.

const together = 5_000; // what ends within this time is told in one request
const most = 64; // in one request
const longest = 600_000;

/** A request as it was seen here. */
export interface Span {
  traceparent: string;
  name: string;
  /** milliseconds since it began */
  ago: number;
  took: number;
  failed?: true;
}

export interface Traced {
  traceparent: string;
  /** The answer is here; failed: none came, or the server is to blame. */
  end: (failed: boolean) => void;
}

export class Tracing {
  /** of the requests, 0 to 1; 0: none */
  share = 0;
  #done: (Omit<Span, 'ago'> & { start: number })[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #send: (spans: Span[]) => Promise<unknown>;
  readonly #random: () => number;

  constructor(send: (spans: Span[]) => Promise<unknown>, random = Math.random) {
    this.#send = send;
    this.#random = random;
  }

  /** Begins the trace of a request, if it is chosen. */
  begin(name: string): Traced | undefined {
    if (this.#random() >= this.share) return undefined;
    const start = Date.now();
    const traceparent = `00-${hex(16)}-${hex(8)}-01`;
    return {
      traceparent,
      end: (failed) => {
        if (this.#done.length === most) return;
        const span = { traceparent, name, start, took: Math.max(0, Date.now() - start) };
        this.#done.push(failed ? { ...span, failed } : span);
        this.#timer ??= setTimeout(() => this.#tell(), together);
      },
    };
  }

  #tell(): void {
    this.#timer = undefined;
    const now = Date.now();
    const spans = this.#done
      .map(({ start, ...span }) => ({ ...span, ago: Math.max(0, now - start) }))
      .filter(({ ago, took }) => ago <= longest && took <= longest); // what slept is of no use
    this.#done = [];
    if (spans.length > 0) this.#send(spans).catch(() => {}); // nobody waits for it
  }
}

function hex(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (b) => b.toString(16).padStart(2, '0')).join('');
}
