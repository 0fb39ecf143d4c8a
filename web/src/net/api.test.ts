import { afterEach, expect, test, vi } from 'vitest';
import { Api } from './api';

afterEach(() => vi.unstubAllGlobals());

const signed = (token: string) => ({ state: 'complete', access_token: token, expires_in: 900, me: {} });

/** A server that answers each request when it is told to. */
function server() {
  vi.stubGlobal('navigator', {}); // no locks
  const asked: { path: string; token: string; answer: (status: number, body: unknown) => void }[] = [];
  vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
    const token = (init.headers as Record<string, string>)['Authorization'] ?? '';
    return new Promise<Response>((done) =>
      asked.push({
        path,
        token,
        answer: (status, body) =>
          done(new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } })),
      }),
    );
  });
  return asked;
}

test('nobody refreshes while somebody proves who they are', async () => {
  const asked = server();
  const api = new Api<object>('unreachable');
  api.keep(signed('old'));
  const proven = api.renew('POST', '/me/step-up', {});
  await vi.waitFor(() => expect(asked.length).toBe(1));
  const token = api.token(true); // the server closed the connection: its session goes on under another id
  await new Promise((done) => setTimeout(done));
  expect(asked.map((a) => a.path)).toEqual(['/api/v1/me/step-up']);
  asked[0]!.answer(200, signed('proven'));
  await proven;
  await vi.waitFor(() => expect(asked.length).toBe(2));
  asked[1]!.answer(200, signed('next'));
  expect(await token).toBe('next');
});

test('a proof with an old token is sent again, and one that is wrong keeps nobody waiting', async () => {
  const asked = server();
  const api = new Api<object>('unreachable');
  api.keep(signed('old'));
  const proven = api.renew('POST', '/me/step-up', {});
  await vi.waitFor(() => expect(asked.length).toBe(1));
  asked[0]!.answer(401, { code: 'token_expired' });
  await vi.waitFor(() => expect(asked.length).toBe(2));
  asked[1]!.answer(200, signed('fresh'));
  await vi.waitFor(() => expect(asked.length).toBe(3));
  expect(asked[2]!.token).toBe('Bearer fresh');
  asked[2]!.answer(403, { code: 'wrong_password' });
  await expect(proven).rejects.toThrow();
  const token = api.token(true);
  await vi.waitFor(() => expect(asked.length).toBe(4));
  asked[3]!.answer(200, signed('next'));
  expect(await token).toBe('next');
});
