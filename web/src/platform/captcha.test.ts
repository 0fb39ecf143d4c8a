import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Answers, solveCaptcha, type Challenge } from './captcha';
import { payload, solve } from './captcha-solve';
import { pbkdf2 } from './sha256';

// From ALTCHA's own library.
const challenge: Challenge = {
  parameters: {
    algorithm: 'PBKDF2/SHA-256',
    cost: 1000,
    expiresAt: 1800000000,
    keyLength: 32,
    keyPrefix: '00',
    nonce: '000102030405060708090a0b',
    salt: '101112131415161718191a1b',
  },
  signature: '2b1645f08cc755e9a1563d8ee5c4841f050ed4e948f661dc6b34c4b60da46725',
};
const derivedKey = '00f928e821c14b05bfb90c7f2f5622bda84e2565a1a4bfe9aaf3774ece644503';

describe('the reference vector', () => {
  test('with the browser’s cryptography', async () => {
    expect(await solve(challenge.parameters)).toMatchObject({ counter: 405, derivedKey });
  });

  test('without it, as on plain http', async () => {
    const real = globalThis.crypto;
    vi.stubGlobal('crypto', {});
    try {
      expect(await solve(challenge.parameters)).toMatchObject({ counter: 405, derivedKey });
    } finally {
      vi.stubGlobal('crypto', real);
    }
  });

  test('as the server reads it', async () => {
    const sent = JSON.parse(atob(payload(challenge, await solve(challenge.parameters)))) as unknown;
    expect(sent).toEqual({ challenge, solution: { counter: 405, derivedKey, time: expect.any(Number) as number } });
  });
});

test('our PBKDF2 is that of others', () => {
  for (let i = 0; i < 60; i++) {
    const password = randomBytes(i);
    const salt = randomBytes(2 * i);
    expect(Buffer.from(pbkdf2(password, salt, 1 + (i % 7)))).toEqual(
      pbkdf2Sync(password, salt, 1 + (i % 7), 32, 'sha256'),
    );
  }
});

test('what it does not know, it does not try', async () => {
  await expect(solve({ ...challenge.parameters, algorithm: 'Scrypt' })).rejects.toThrow('Scrypt');
});

/** A worker whose other end is the test. */
class FakeWorker {
  static all: FakeWorker[] = [];
  ended = false;
  sent: unknown;
  onmessage: ((e: { data: unknown }) => void) | null = null;
  onerror: ((e: { message: string }) => void) | null = null;
  constructor() {
    FakeWorker.all.push(this);
  }
  postMessage(m: unknown) {
    this.sent = m;
  }
  terminate() {
    this.ended = true;
  }
}

describe('answers', () => {
  const settle = () => vi.advanceTimersByTimeAsync(0);
  let asked: number;
  const ask = () => {
    asked++;
    return Promise.resolve(challenge);
  };

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('Worker', FakeWorker);
    FakeWorker.all = [];
    asked = 0;
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  test('are worked for ahead, and good once', async () => {
    const a = new Answers(ask);
    a.start();
    a.start();
    await settle();
    expect([asked, FakeWorker.all.length]).toEqual([1, 1]);
    expect(FakeWorker.all[0]!.sent).toEqual(challenge);
    FakeWorker.all[0]!.onmessage!({ data: { answer: 'one' } });
    expect(await a.take()).toBe('one');
    expect(FakeWorker.all[0]!.ended).toBe(true);
    const second = a.take();
    await settle();
    FakeWorker.all[1]!.onmessage!({ data: { answer: 'two' } });
    expect(await second).toBe('two');
  });

  test('are made anew when they are too old', async () => {
    const a = new Answers(ask);
    a.start();
    await vi.advanceTimersByTimeAsync(16 * 60_000);
    a.start();
    await settle();
    expect(asked).toBe(2);
  });

  test('are tried again after a failure', async () => {
    let fail = true;
    const a = new Answers(() => (fail ? Promise.reject(new Error('away')) : ask()));
    await expect(a.take()).rejects.toThrow('away');
    a.start();
    await settle();
    fail = false;
    const next = a.take();
    await settle();
    FakeWorker.all[0]!.onmessage!({ data: { answer: 'now' } });
    expect(await next).toBe('now');
  });

  test('a worker that fails says so, and one that nobody wants ends', async () => {
    const failing = solveCaptcha(challenge);
    FakeWorker.all[0]!.onerror!({ message: 'blocked' });
    await expect(failing).rejects.toThrow('blocked');
    const a = new Answers(ask);
    const answer = a.take();
    await settle();
    a.stop();
    await expect(answer).rejects.toThrow();
    expect(FakeWorker.all[1]!.ended).toBe(true);
  });
});
