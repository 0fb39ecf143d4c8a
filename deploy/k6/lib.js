// What the load tests share: accounts, sockets, and where the server is.
import http from 'k6/http';
import { fail } from 'k6';

/** The server under test: one's own, started by `make load`, or a staging server. */
export const url = (__ENV.URL || 'http://127.0.0.1:9000').replace(/\/$/, '');
export const number = (name, otherwise) => Number(__ENV[name] || otherwise);

const json = { 'Content-Type': 'application/json' };

export const post = (path, body, token) =>
  http.post(`${url}/api/v1${path}`, JSON.stringify(body), { headers: token ? { ...json, Authorization: `Bearer ${token}` } : json });

/** An answer's body, or the end of the test if it is a refusal. */
export function good(r) {
  if (r.status < 200 || r.status > 299) fail(`${r.request.method} ${r.url}: ${r.status} ${r.body}`);
  return r.body ? r.json() : null;
}

/** Registers people of this run, all of them new, and returns their tokens. */
export function people(count) {
  const run = `${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;
  return Array.from({ length: count }, (_, i) => {
    const name = `k6-${run}-${i}`;
    return good(post('/auth/register', { username: name, password: `load of ${run} ${i}` })).access_token;
  });
}

/** A room that all of these people are in; head is the last number before the test. */
export function room(tokens) {
  const { id } = good(post('/rooms', { kind: 'public', name: `k6 ${new Date().toISOString()}` }, tokens[0]));
  let head = 0;
  for (const token of tokens.slice(1)) head = good(post(`/rooms/${id}/join`, {}, token)).head;
  return { id, head };
}

/** Opens a socket as a browser does: the token is a subprotocol. */
export const socket = (WebSocket, token) => new WebSocket(`${url.replace(/^http/, 'ws')}/ws`, ['bearer', token]);
