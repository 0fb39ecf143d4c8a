// Whether the limits hold, and say when to come back: sign-ins of one address, and
// messages of one socket. Tell it what the server is set to:
//
//   k6 run -e URL=... -e LOGIN_PER_MINUTE=10 -e LOGIN_BURST=15 -e MESSAGES_PER_SEC=50 deploy/k6/ratelimit.js
import http from 'k6/http';
import { check } from 'k6';
import { WebSocket } from 'k6/websockets';
import { number, people, room, socket, url } from './lib.js';

const loginBurst = number('LOGIN_BURST', 15);
const loginRate = number('LOGIN_PER_MINUTE', 10) / 60;
const messageRate = number('MESSAGES_PER_SEC', 50);
const messageBurst = 2 * messageRate;

export const options = {
  vus: 1,
  iterations: 1,
  batch: 20,
  batchPerHost: 20,
  setupTimeout: '2m',
  thresholds: { checks: ['rate==1'] },
};

export function setup() {
  const [token] = people(1);
  return { token, room: room([token]).id };
}

export default function (data) {
  signIns();
  messages(data);
}

function signIns() {
  const tries = loginBurst * 3;
  const begin = Date.now();
  const answers = http.batch(
    Array.from({ length: tries }, (_, i) => ({
      method: 'POST',
      url: `${url}/api/v1/auth/sign-in`,
      body: JSON.stringify({ login: `nobody-${begin}-${i}`, password: 'a guess', client: 'native' }),
      params: { headers: { 'Content-Type': 'application/json' }, responseCallback: http.expectedStatuses(401, 429, 503) },
    })),
  );
  const most = loginBurst + Math.ceil(((Date.now() - begin) / 1000) * loginRate) + 1;
  const refused = answers.filter((a) => a.status === 429);
  const tried = answers.filter((a) => a.status === 401).length;
  check(answers, {
    'no more sign-ins are tried than the limit lets through': () => tried <= most && refused.length > 0,
    'each refusal says when to come back': () => refused.every((a) => Number(a.headers['Retry-After']) > 0),
    // 503: all turns for hashing a password are taken.
    'nothing else happens': (all) => all.every((a) => [401, 429, 503].includes(a.status)) || console.error(all.map((a) => a.status).join()),
  });
}

function messages({ token, room }) {
  const ws = socket(WebSocket, token);
  const tries = messageBurst * 3;
  let taken = 0;
  let answered = 0;
  const waits = [];
  let begin;
  const ask = (i) => ws.send(JSON.stringify({ id: `m-${i}`, type: 'message.send', data: { room, key: `k6-${i}`, text: `message ${i}` } }));
  const late = setTimeout(() => ws.close(), 60_000);
  let again = false;

  ws.onmessage = ({ data }) => {
    const f = JSON.parse(data);
    if (f.type === 'hello') {
      begin = Date.now();
      for (let i = 0; i < tries; i++) ask(i);
      return;
    }
    if (!f.id) return;
    if (f.id === 'm-again') {
      again = f.type === 'ok';
      clearTimeout(late);
      return ws.close();
    }
    answered++;
    if (f.type === 'ok') taken++;
    else waits.push(f.error.kind === 'rate_limited' ? f.error.retry_after : 0);
    if (answered === tries) setTimeout(() => ask('again'), Math.max(...waits, 0.1) * 1000 + 500);
  };
  ws.onclose = () => {
    const most = messageBurst + Math.ceil(((Date.now() - begin) / 1000) * messageRate) + 1;
    check(null, {
      'every message is answered': () => answered === tries,
      'no more messages are taken than the limit lets through': () => taken >= messageBurst && taken <= most,
      'each refused message says when to come back': () => waits.every((w) => w > 0),
      'and then one is taken': () => again,
    });
  };
}
