// Sends bytes and tells how many have left, which fetch cannot.

import type { Me } from '../view/types';
import { Refusal, Unreachable, type Api, type Problem } from './api';

const quiet = 60_000; // milliseconds without a byte, after which the way is taken to be lost

export interface Put {
  left: (bytes: number) => void;
  signal: AbortSignal;
  method?: 'PUT' | 'POST';
}

interface Lost {
  /** what is thrown when there is no way to the server */
  lost: () => Unreachable;
}

/**
 * Puts bytes as whoever is signed in, and returns the answer. Fails like Api.call, and with the signal's reason if it
 * is cancelled.
 */
export function put<T = undefined>(api: Api<Me>, path: string, body: Blob, o: Put): Promise<T> {
  return api.withToken((token) => send<T>(path, body, token, { ...o, lost: () => api.unreachable() }));
}

function send<T>(path: string, body: Blob, token: string, o: Put & Lost): Promise<T> {
  const { left, signal, lost, method = 'PUT' } = o;
  const x = new XMLHttpRequest();
  const cancel = () => x.abort();
  let silence: ReturnType<typeof setTimeout>;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(cancel, quiet);
  };
  const done = new Promise<T>((resolve, reject) => {
    signal.throwIfAborted();
    x.upload.onprogress = (e) => (heard(), left(e.loaded));
    x.onload = () => {
      if (x.status < 200 || x.status >= 300) return reject(refusalOf(x));
      try {
        resolve((x.responseText ? JSON.parse(x.responseText) : undefined) as T);
      } catch {
        reject(lost()); // a proxy's own page
      }
    };
    x.onerror = () => reject(lost());
    x.onabort = () => reject(signal.aborted ? (signal.reason as Error) : lost());
    x.open(method, `/api/v1${path}`);
    x.setRequestHeader('Authorization', `Bearer ${token}`);
    x.setRequestHeader('Content-Type', 'application/octet-stream');
    signal.addEventListener('abort', cancel);
    heard();
    x.send(body);
  });
  return done.finally(() => {
    clearTimeout(silence);
    signal.removeEventListener('abort', cancel);
  });
}

function refusalOf(x: XMLHttpRequest): Refusal {
  let problem: Problem = {};
  try {
    problem = JSON.parse(x.responseText) as Problem;
  } catch {
    // a proxy's own page
  }
  return new Refusal(x.status, problem, Number(x.getResponseHeader('Retry-After') ?? 0));
}

/** Seconds that a server in trouble wants to be left alone, if a failure may pass by itself. */
export function passing(err: unknown): number | undefined {
  if (err instanceof Unreachable) return 0;
  if (!(err instanceof Refusal)) return undefined;
  const passes = err.status === 429 || err.status === 408 || (err.status >= 500 && err.status !== 507);
  return passes ? err.retryAfter : undefined;
}
