// SHA-256, and PBKDF2 with HMAC-SHA256, for pages that browsers do not trust with WebCrypto:
// those that came by plain http from another machine.

const K = new Int32Array(64);
const H = new Int32Array(8);

/** The constants of SHA-256: fractions of the square and cube roots of primes. */
for (let n = 2, count = 0; count < 64; n++) {
  let prime = true;
  for (let i = 2; i * i <= n; i++) if (n % i === 0) prime = false;
  if (!prime) continue;
  if (count < 8) H[count] = (Math.sqrt(n) % 1) * 0x100000000;
  K[count++] = (Math.cbrt(n) % 1) * 0x100000000;
}

const W = new Int32Array(64);

/** Mixes one block of 16 words, at an offset of words, into state. */
function compress(state: Int32Array, words: Int32Array, at: number): void {
  for (let i = 0; i < 16; i++) W[i] = words[at + i]!;
  for (let i = 16; i < 64; i++) {
    const x = W[i - 15]!;
    const y = W[i - 2]!;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    W[i] = W[i - 16]! + s0 + W[i - 7]! + s1;
  }
  let a = state[0]!, b = state[1]!, c = state[2]!, d = state[3]!;
  let e = state[4]!, f = state[5]!, g = state[6]!, h = state[7]!;
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i]! + W[i]!) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + t1) | 0;
    d = c; c = b; b = a; a = (t1 + t2) | 0;
  }
  state[0]! += a; state[1]! += b; state[2]! += c; state[3]! += d;
  state[4]! += e; state[5]! += f; state[6]! += g; state[7]! += h;
}

/** The words of bytes with the padding of SHA-256, as if before bytes stood in front. */
function padded(bytes: Uint8Array, before: number): Int32Array {
  const blocks = Math.ceil((bytes.length + 9) / 64);
  const view = new DataView(new ArrayBuffer(blocks * 64));
  bytes.forEach((b, i) => view.setUint8(i, b));
  view.setUint8(bytes.length, 0x80);
  view.setUint32(blocks * 64 - 4, (before + bytes.length) * 8);
  return Int32Array.from({ length: blocks * 16 }, (_, i) => view.getInt32(i * 4));
}

/** The state after one block of key, each byte of which is mixed with pad. */
function keyed(key: Uint8Array, pad: number): Int32Array {
  const block = new Uint8Array(64).fill(pad);
  key.forEach((b, i) => (block[i]! ^= b));
  const state = H.slice();
  compress(state, padded(block, 0), 0);
  return state;
}

/** The SHA-256 of bytes. */
export function digest(bytes: Uint8Array): Uint8Array {
  const state = H.slice();
  const whole = bytes.length - (bytes.length % 64);
  const view = new DataView(bytes.buffer, bytes.byteOffset, whole);
  const block = new Int32Array(16);
  for (let at = 0; at < whole; at += 64) {
    for (let i = 0; i < 16; i++) block[i] = view.getInt32(at + i * 4);
    compress(state, block, 0);
  }
  const rest = padded(bytes.subarray(whole), whole);
  for (let at = 0; at < rest.length; at += 16) compress(state, rest, at);
  return written(state);
}

function written(state: Int32Array): Uint8Array {
  const out = new DataView(new ArrayBuffer(32));
  state.forEach((w, i) => out.setInt32(i * 4, w));
  return new Uint8Array(out.buffer);
}

/** A key of 32 bytes. The password has at most 64. */
export function pbkdf2(password: Uint8Array, salt: Uint8Array, rounds: number): Uint8Array {
  const inner = keyed(password, 0x36);
  const outer = keyed(password, 0x5c);
  const first = new Uint8Array(salt.length + 4);
  first.set(salt);
  first[salt.length + 3] = 1; // the number of the block
  const block = padded(new Uint8Array(32), 64); // room for a hash, with its padding
  const state = new Int32Array(8);
  const finish = () => {
    block.set(state);
    state.set(outer);
    compress(state, block, 0);
  };
  const message = padded(first, 64);
  state.set(inner);
  for (let at = 0; at < message.length; at += 16) compress(state, message, at);
  finish();
  const sum = state.slice();
  for (let i = 1; i < rounds; i++) {
    block.set(state);
    state.set(inner);
    compress(state, block, 0);
    finish();
    for (let j = 0; j < 8; j++) sum[j]! ^= state[j]!;
  }
  return written(sum);
}
