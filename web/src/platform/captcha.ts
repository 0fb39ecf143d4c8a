// CAPTCHAs of the kind "pow": the browser works for a moment, in a worker of its
// own, and nobody looks at pictures of buses.

import type { Challenge } from './captcha-solve';

export type { Challenge } from './captcha-solve';

/** Solves a challenge; the answer goes to the server beside the form. */
export function solveCaptcha(challenge: Challenge, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const worker = new Worker(new URL('./captcha.worker.ts', import.meta.url), { type: 'module' });
    const end = () => {
      worker.terminate();
      signal?.removeEventListener('abort', abort);
    };
    const abort = () => {
      end();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort);
    worker.postMessage(challenge);
    worker.onmessage = (e: MessageEvent<{ answer?: string; error?: string }>) => {
      end();
      if (e.data.answer === undefined) reject(new Error(e.data.error));
      else resolve(e.data.answer);
    };
    worker.onerror = (e) => {
      end();
      reject(new Error(e.message || 'the worker that solves the CAPTCHA did not start'));
    };
  });
}

/**
 * Has an answer ready when a form is sent: it begins with the first call of
 * start, while the person still types, and makes a fresh one for each time that
 * the form is sent, since an answer is good once.
 */
export class Answers {
  #next: Promise<string> | undefined;
  #since = 0;
  readonly #abort = new AbortController();
  readonly #challenge: () => Promise<Challenge>;

  /** @param challenge gets one from the server */
  constructor(challenge: () => Promise<Challenge>) {
    this.#challenge = challenge;
  }

  /** Begins to work, if nothing is ready that is still good. */
  start(): void {
    const stale = Date.now() - this.#since > 15 * 60_000; // challenges end after 20 minutes
    if (this.#next && !stale) return;
    this.#since = Date.now();
    const mine = this.#challenge().then((c) => solveCaptcha(c, this.#abort.signal));
    this.#next = mine;
    mine.catch(() => {
      if (this.#next === mine) this.#next = undefined; // the next call tries again
    });
  }

  /** An answer to send, used up with it. */
  take(): Promise<string> {
    this.start();
    const answer = this.#next!;
    this.#next = undefined;
    return answer;
  }

  /** Stops working: the form is gone. */
  stop(): void {
    this.#abort.abort();
  }
}
