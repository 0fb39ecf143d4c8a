// What an open connection costs: opens many, leaves them alone, and asks the
// operator's listener for the server's resident memory before and after.
//
//   k6 run -e URL=... -e METRICS=http://127.0.0.1:9010/metrics -e SOCKETS=10000 -e MOST=20000 deploy/k6/memory.js
//
// MOST is the bytes that a connection may cost; all of them must stay open.
import http from 'k6/http';
import { sleep } from 'k6';
import { WebSocket } from 'k6/websockets';
import { Counter, Gauge } from 'k6/metrics';
import { number, people, room, socket } from './lib.js';

const vus = number('VUS', 10);
const sockets = Math.ceil(number('SOCKETS', 500) / vus);
const hold = number('HOLD', 15); // seconds
const most = number('MOST', 40_000);

const opened = new Counter('sockets_opened');
const lost = new Counter('sockets_lost');
const cost = new Gauge('bytes_per_socket');

export const options = {
  scenarios: {
    hold: { executor: 'per-vu-iterations', vus, iterations: 1, maxDuration: `${hold + 120}s`, exec: 'holdOpen' },
    look: { executor: 'per-vu-iterations', vus: 1, iterations: 1, startTime: `${hold}s`, exec: 'look' },
  },
  setupTimeout: '5m',
  thresholds: {
    sockets_opened: [`count==${vus * sockets}`],
    sockets_lost: ['count==0'],
    ...(__ENV.METRICS ? { bytes_per_socket: [`value<=${most}`, 'value>0'] } : {}),
  },
};

const metric = (body, name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)[1]);
const stand = () => {
  const { body } = http.get(__ENV.METRICS);
  return { memory: metric(body, 'process_resident_memory_bytes'), sockets: metric(body, 'gateway_connections') };
};

export function setup() {
  const tokens = people(number('PEOPLE', 5));
  room(tokens);
  return { tokens, before: __ENV.METRICS ? stand() : null };
}

/** Opens a VU's sockets and leaves them alone. */
export function holdOpen({ tokens }) {
  for (let i = 0; i < sockets; i++) {
    const ws = socket(WebSocket, tokens[i % tokens.length]);
    let closing = false;
    ws.onopen = () => {
      opened.add(1);
      setTimeout(() => {
        closing = true;
        ws.close();
      }, (hold + 15) * 1000);
    };
    ws.onclose = () => closing || lost.add(1);
  }
}

export function look({ before }) {
  if (!before) return;
  for (let i = 0; i < 12; i++) {
    const now = stand();
    const more = now.sockets - before.sockets;
    if (more >= vus * sockets) return void cost.add(Math.max(1, now.memory - before.memory) / more);
    sleep(1);
  }
  lost.add(1); // they were never all there
}
