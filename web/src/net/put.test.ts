import { afterEach, expect, test, vi } from 'vitest';
import type { Me } from '../view/types';
import { Api, Refusal, Unreachable } from './api';
import { passing, put } from './put';

afterEach(() => vi.unstubAllGlobals());

const signed = (token: string) => ({ state: 'complete', access_token: token, expires_in: 900, me: {} as Me });

/** Stands in for the browser's requests; answer: the status, or 0 if there is no way to the server. */
function requests(answer: (token: string) => number, text = ''): string[] {
  const tokens: string[] = [];
  class Request {
    upload = {};
    status = 0;
    responseText = text;
    onload = () => {};
    onerror = () => {};
    #token = '';
    open() {}
    getResponseHeader = () => null;
    setRequestHeader(name: string, value: string) {
      if (name === 'Authorization') this.#token = value;
    }
    send() {
      tokens.push(this.#token);
      this.status = answer(this.#token);
      if (this.status) this.onload();
      else this.onerror();
    }
  }
  vi.stubGlobal('XMLHttpRequest', Request);
  return tokens;
}

const part = (api: Api<Me>) =>
  put(api, '/files/fil_1/parts/0', new Blob(['x']), { left: () => {}, signal: new AbortController().signal });

test('a lost connection is told as with every other request', async () => {
  requests(() => 0);
  const api = new Api<Me>('Can’t reach the server.');
  api.keep(signed('good'));
  await expect(part(api)).rejects.toEqual(new Unreachable('Can’t reach the server.'));
});

test('bytes are put again with a new token if the old one has ended', async () => {
  vi.stubGlobal('navigator', {}); // no locks
  const tokens = requests((token) => (token === 'Bearer old' ? 401 : 204));
  vi.stubGlobal('fetch', () =>
    Promise.resolve(new Response(JSON.stringify(signed('new')), { headers: { 'Content-Type': 'application/json' } })),
  );
  const api = new Api<Me>('');
  api.keep(signed('old'));
  await part(api);
  expect(tokens).toEqual(['Bearer old', 'Bearer new']);
});

test('an answer is read, and a page that is none is a lost way', async () => {
  for (const [text, want] of [
    ['{"id":"fil_1"}', { id: 'fil_1' }],
    ['<html>', new Unreachable('lost')],
  ] as const) {
    requests(() => 201, text);
    const api = new Api<Me>('lost');
    api.keep(signed('good'));
    const o = { left: () => {}, signal: new AbortController().signal, method: 'POST' } as const;
    expect(await put(api, '/rooms/room_1/files?name=a', new Blob(['x']), o).catch((e: unknown) => e)).toEqual(want);
  }
});

test('what may pass is tried again, and a refusal is not', () => {
  expect(passing(new Unreachable(''))).toBe(0);
  expect(passing(new Refusal(429, {}, 7))).toBe(7);
  expect(passing(new Refusal(503, {}))).toBe(0);
  expect(passing(new Refusal(507, {}))).toBeUndefined(); // the disk stays full
  for (const status of [400, 403, 404, 409, 413]) expect(passing(new Refusal(status, {})), `${status}`).toBeUndefined();
  expect(passing(new Error('a fault of our own'))).toBeUndefined();
});
