// The work behind a CAPTCHA of the kind "pow": ALTCHA, version 2, with
// PBKDF2/SHA-256. It counts until the key of the nonce and the counter starts as
// the server wants it to.

import { pbkdf2 } from './sha256';

export interface Parameters {
  algorithm: string;
  cost: number;
  keyLength: number;
  keyPrefix: string;
  nonce: string;
  salt: string;
  expiresAt?: number;
  data?: Record<string, string>;
}

export interface Challenge {
  parameters: Parameters;
  signature: string;
}

export interface Solution {
  counter: number;
  derivedKey: string;
  /** milliseconds */
  time: number;
}

type Derive = (password: Uint8Array<ArrayBuffer>) => Promise<Uint8Array> | Uint8Array;

/** Solves a challenge with the browser's own cryptography, or without where there is none. */
export async function solve(
  p: Parameters,
  subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle,
): Promise<Solution> {
  if (p.algorithm !== 'PBKDF2/SHA-256' || p.keyLength !== 32)
    throw new Error(`cannot solve ${p.algorithm} of ${p.keyLength} bytes`);
  const began = performance.now();
  const nonce = bytes(p.nonce);
  const salt = bytes(p.salt);
  const prefix = bytes(p.keyPrefix);
  const derive: Derive = subtle ? native(subtle, salt, p.cost) : (password) => pbkdf2(password, salt, p.cost);
  const password = new Uint8Array(nonce.length + 4);
  password.set(nonce);
  const counting = new DataView(password.buffer);
  for (let counter = 0; counter < 2 ** 32; counter++) {
    counting.setUint32(nonce.length, counter);
    const key = await derive(password);
    if (prefix.every((b, i) => key[i] === b))
      return { counter, derivedKey: hex(key), time: Math.round(performance.now() - began) };
  }
  throw new Error('there is no solution');
}

function native(subtle: SubtleCrypto, salt: Uint8Array<ArrayBuffer>, iterations: number): Derive {
  return async (password) => {
    const key = await subtle.importKey('raw', password, 'PBKDF2', false, ['deriveBits']);
    return new Uint8Array(await subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations }, key, 256));
  };
}

/** What the server is sent for a solved challenge. */
export function payload(challenge: Challenge, solution: Solution): string {
  return btoa(JSON.stringify({ challenge, solution }));
}

function bytes(hexadecimal: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hexadecimal.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function hex(b: Uint8Array): string {
  return Array.from(b, (x) => x.toString(16).padStart(2, '0')).join('');
}
