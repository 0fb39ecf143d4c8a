// A device as a program of its own: a page that nobody is signed in on, with a WebSocket.
import { visitor } from './people.mjs';

/** Opens the page of a device, which is not connected yet. */
export async function openBoard(browser, server) {
  const board = await visitor(browser);
  await board.goto(`${server.url}/health`);
  return board;
}

/**
 * Connects a device, which describes itself, obeys and takes settings. What it was told last is in obeyed and settings
 * of its page, how many commands there were in commands, and ask(type, data) sends a request.
 */
export const connectBoard = (board, key, capabilities) =>
  board.evaluate(
    async ([key, capabilities]) => {
      const ws = new WebSocket(`${location.origin.replace('http', 'ws')}/ws`, ['device', key]);
      const waiting = new Map();
      let n = 0;
      globalThis.ask = (type, data) =>
        new Promise((done, failed) => {
          const id = String(++n);
          waiting.set(id, { done, failed });
          ws.send(JSON.stringify({ id, type, data }));
        });
      ws.onmessage = async (e) => {
        const f = JSON.parse(e.data);
        const w = waiting.get(f.id);
        if (w) {
          waiting.delete(f.id);
          return f.type === 'ok' ? w.done(f.data) : w.failed(new Error(e.data));
        }
        if (f.type === 'settings') {
          const { version, settings } = f.data;
          globalThis.settings = settings;
          const errors = settings.mode === 'turbo' ? { mode: 'this pump has no turbo' } : {};
          await ask('settings_result', { version, settings: { interval: settings.interval ?? 10 }, errors });
        }
        if (f.type === 'command') {
          globalThis.obeyed = f.data;
          globalThis.commands = (globalThis.commands ?? 0) + 1;
          await ask('command_result', { id: f.data.id, state: 'done', result: 'spinning' });
        }
      };
      await new Promise((open, failed) => {
        ws.onopen = open;
        ws.onclose = failed;
      });
      await ask('describe', { capabilities });
    },
    [key, capabilities],
  );

export const report = (board, data) => board.evaluate((d) => globalThis.ask('report', d), data);
