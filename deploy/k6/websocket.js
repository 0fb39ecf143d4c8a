// How many people talk in one room at once: every socket must see every message,
// once, in the order of the room's numbers, and every message must be
// acknowledged. Sockets that come late, or are cut off, catch up by `sync`.
//
//   k6 run -e URL=https://staging.example.org -e SOCKETS=2000 -e MESSAGES=5000 deploy/k6/websocket.js
//
// SOCKETS and MESSAGES are totals, PEOPLE how many accounts share them, PACE the
// milliseconds between two messages of one sender, WAIT the seconds after which what
// is missing is missing.
import { WebSocket } from 'k6/websockets';
import exec from 'k6/execution';
import { Counter } from 'k6/metrics';
import { number, people, room, socket } from './lib.js';

const vus = number('VUS', 10);
const sockets = Math.ceil(number('SOCKETS', 200) / vus); // of one VU
const messages = Math.ceil(number('MESSAGES', 200) / vus); // of one VU: its first socket sends them
const pace = number('PACE', 50);
const wait = number('WAIT', 90);

const sent = new Counter('messages_sent');
const acked = new Counter('messages_acked');
const seen = new Counter('messages_seen');
const unordered = new Counter('events_unordered');
const missing = new Counter('events_missing');
const errors = new Counter('unexpected');

export const options = {
  scenarios: { talk: { executor: 'per-vu-iterations', vus, iterations: 1, maxDuration: `${wait + 60}s` } },
  setupTimeout: '5m',
  // Counts and correctness: times depend on the machine, and are for reading.
  thresholds: {
    messages_acked: [`count==${vus * messages}`],
    messages_seen: [`count==${vus * messages * vus * sockets}`],
    events_unordered: ['count==0'],
    events_missing: ['count==0'],
    unexpected: ['count==0'],
  },
};

export function setup() {
  const tokens = people(number('PEOPLE', 5));
  return { tokens, room: room(tokens) };
}

export default function (data) {
  for (let i = 0; i < sockets; i++) follow(data, i);
}

/** Follows the room until all messages of all senders were seen. */
function follow({ tokens, room }, i) {
  const vu = exec.vu.idInTest;
  const ws = socket(WebSocket, tokens[(vu + i) % tokens.length]);
  const all = vus * messages;
  let last = room.head; // what it has, and every number before
  let got = 0;
  let syncing = false;
  let done = false;
  let at = 0; // of its own messages

  const ask = (id, type, body) => ws.send(JSON.stringify({ id, type, data: body }));
  const sync = () => {
    if (syncing) return;
    syncing = true;
    ask('sync', 'sync', { rooms: { [room.id]: last } });
  };
  const take = (e) => {
    if (e.room !== room.id || e.seq <= last) return;
    if (e.seq !== last + 1) return sync(); // a gap: what came in between is asked for
    last = e.seq;
    if (e.type !== 'message.created') return;
    got++;
    seen.add(1);
    if (got === all && (i > 0 || at === messages)) end();
  };
  const end = () => {
    if (done) return;
    done = true;
    clearTimeout(late);
    if (got < all) missing.add(all - got);
    ws.close();
  };
  const late = setTimeout(end, wait * 1000);
  const say = () => {
    if (done || at === messages) return;
    ask(`say-${at}`, 'message.send', { room: room.id, key: `k6-${vu}-${at}`, text: `message ${at} of ${vu}` });
    sent.add(1);
  };

  ws.onmessage = ({ data }) => {
    const f = JSON.parse(data);
    if (f.type === 'hello') {
      sync();
      if (i === 0) say();
    } else if (f.type === 'event') {
      take(f.data);
    } else if (f.id === 'sync' && f.type === 'ok') {
      syncing = false;
      const [r] = f.data.rooms;
      if (!r || r.reset) return void errors.add(1);
      if (r.events.length && r.events[0].seq > last + 1) unordered.add(1);
      r.events.forEach(take);
      if (r.more) sync();
    } else if (f.id && f.id.startsWith('say-')) {
      if (f.type === 'ok') {
        acked.add(1);
        at++;
        if (got === all && at === messages) return end();
        setTimeout(say, pace);
      } else if (f.error.retry_after) {
        setTimeout(say, f.error.retry_after * 1000); // the same key: never twice
      } else {
        errors.add(1);
      }
    } else if (f.type === 'error') {
      errors.add(1);
    }
  };
  ws.onerror = (e) => {
    if (!done) {
      console.error(e.error);
      errors.add(1);
    }
  };
}
