// Messages of protocol buffers, as far as provisioning has them: numbers, bytes, and other messages.

import { ProvisionError } from './error';

/** What goes into a message, in its order. Zero is left out, as proto3 does. */
export type Fields = [field: number, value: number | Uint8Array][];

/** Writes a message. Numbers are not negative, and of at most 32 bits. */
export function encode(fields: Fields): Uint8Array {
  const out: number[] = [];
  for (const [field, value] of fields) {
    if (typeof value !== 'number') {
      varint(out, field * 8 + 2);
      varint(out, value.length);
      out.push(...value);
    } else if (value) {
      varint(out, field * 8);
      varint(out, value);
    }
  }
  return Uint8Array.from(out);
}

function varint(out: number[], n: number): void {
  for (; n > 127; n >>>= 7) out.push((n & 127) | 128);
  out.push(n);
}

/** A message that came. Of a field that is there twice the last one counts. */
export class Message {
  readonly #numbers = new Map<number, number>();
  readonly #bytes = new Map<number, Uint8Array[]>();

  constructor(bytes: Uint8Array) {
    let at = 0;
    const next = (): bigint => {
      let n = 0n;
      for (let shift = 0n; shift < 70n; shift += 7n) {
        const b = bytes[at++];
        if (b === undefined) break;
        n |= BigInt(b & 127) << shift;
        if (b < 128) return n;
      }
      throw new ProvisionError('other');
    };
    const take = (n: number): Uint8Array => {
      if (n > bytes.length - at) throw new ProvisionError('other');
      return bytes.slice(at, (at += n));
    };
    while (at < bytes.length) {
      const tag = Number(next());
      const field = Math.floor(tag / 8);
      if (tag % 8 === 0) this.#numbers.set(field, Number(BigInt.asIntN(32, next())));
      else if (tag % 8 === 2) this.#bytes.set(field, [...this.all(field), take(Number(next()))]);
      else if (tag % 8 === 1) take(8);
      else if (tag % 8 === 5) take(4);
      else throw new ProvisionError('other');
    }
  }

  /** A number of 32 bits with its sign; 0: it is not there. */
  number(field: number): number {
    return this.#numbers.get(field) ?? 0;
  }

  /** Bytes; none: they are not there. */
  bytes(field: number): Uint8Array {
    return this.all(field).at(-1) ?? new Uint8Array();
  }

  all(field: number): readonly Uint8Array[] {
    return this.#bytes.get(field) ?? [];
  }

  /** A message that must be there. */
  message(field: number): Message {
    const inner = this.all(field).at(-1);
    if (!inner) throw new ProvisionError('other');
    return new Message(inner);
  }
}
