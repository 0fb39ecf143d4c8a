// Packets of Improv over a serial line (improv-wifi.com/serial). The Go client of the command line writes and reads the
// same ones: both are checked against internal/provision/testdata/serial.json.

/** A packet of Improv. */
export interface Packet {
  kind: number;
  data: Uint8Array;
}

/** Kinds of packets. */
export const kinds = { state: 1, error: 2, command: 3, result: 4 } as const;

/** Commands to a device. */
export const commands = { join: 1, state: 2, device: 3, scan: 4 } as const;

const mark = [...'IMPROV'].map((c) => c.charCodeAt(0));
const version = 1;
const head = mark.length + 3; // mark, version, kind, length

const sum = (bytes: readonly number[]) => bytes.reduce((a, b) => (a + b) & 255, 0);

/** A packet as bytes, with its sum and an end of line. */
export function packetOf(kind: number, data: readonly number[]): Uint8Array {
  const all = [...mark, version, kind, data.length, ...data];
  return Uint8Array.from([...all, sum(all), 0x0a]);
}

/** A command with texts, of at most 255 bytes together. */
export function commandOf(command: number, ...texts: readonly string[]): Uint8Array {
  const data = texts.flatMap((text) => {
    const bytes = new TextEncoder().encode(text);
    return [bytes.length, ...bytes];
  });
  return packetOf(kinds.command, [command, data.length, ...data]);
}

/** The texts in the answer to a command; none if it is another packet, or broken. */
export function textsOf(p: Packet, command: number): string[] | undefined {
  const [what, length] = p.data;
  if (p.kind !== kinds.result || what !== command || length !== p.data.length - 2) return undefined;
  const texts: string[] = [];
  for (let at = 2; at < p.data.length; ) {
    const end = at + 1 + p.data[at]!;
    if (end > p.data.length) return undefined;
    texts.push(new TextDecoder().decode(p.data.subarray(at + 1, end)));
    at = end;
  }
  return texts;
}

/**
 * Finds packets in what a device says, however that is cut. What it logs between them is skipped, and so are packets
 * whose sum is wrong; a packet may begin within what looked like one.
 */
export class PacketReader {
  #bytes: number[] = [];

  feed(bytes: Uint8Array): Packet[] {
    const found: Packet[] = [];
    for (const b of bytes) {
      this.#bytes.push(b);
      this.#skip();
      for (let n = whole(this.#bytes); this.#bytes.length >= n; n = whole(this.#bytes)) {
        const have = this.#bytes;
        const good = sum(have.slice(0, n - 1)) === have[n - 1];
        if (good) found.push({ kind: have[head - 2]!, data: Uint8Array.from(have.slice(head, n - 1)) });
        have.splice(0, good ? n : 1);
        this.#skip();
      }
    }
    return found;
  }

  #skip(): void {
    while (this.#bytes.length && !begins(this.#bytes)) this.#bytes.shift();
  }
}

/** How many bytes the packet has that begins here, with its sum. */
const whole = (bytes: readonly number[]): number => head + (bytes[head - 1] ?? 255) + 1;

/** Whether a packet may begin so. States and errors have one byte: what only looks like one swallows nothing. */
function begins(bytes: readonly number[]): boolean {
  if (!bytes.slice(0, mark.length).every((b, i) => b === mark[i])) return false;
  const [v, kind, length] = bytes.slice(mark.length);
  if (v === undefined) return true;
  if (v !== version || (kind !== undefined && (kind < kinds.state || kind > kinds.result))) return false;
  return kind === undefined || length === undefined || kind > kinds.error || length === 1;
}
