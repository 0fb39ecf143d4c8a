import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { SerialLine } from '../../platform/serial';
import { Board, BoardError, type BoardFailure } from './board';
import { packetOf, PacketReader } from './improv';

/** A board on a line: what it answers to a command or to a line of JSON. */
class Simulated implements SerialLine {
  told: string[] = [];
  closed = false;
  #said: Uint8Array[] = [];
  #wake: (() => void) | undefined;
  #over = false;
  #packets = new PacketReader();

  constructor(readonly answer: (asked: { command?: number; line?: string }) => (Uint8Array | string)[] | 'pulled') {}

  say(...all: (Uint8Array | string)[]): void {
    this.#said.push(...all.map((b) => (typeof b === 'string' ? new TextEncoder().encode(b) : b)));
    this.#wake?.();
  }

  pull(): void {
    this.#over = true;
    this.#wake?.();
  }

  async read(): Promise<Uint8Array | undefined> {
    while (!this.#said.length && !this.#over) await new Promise<void>((go) => (this.#wake = go));
    return this.#said.shift();
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#over) throw new Error('there is no line');
    const text = new TextDecoder().decode(bytes).trim();
    if (text.startsWith('{')) this.told.push(text);
    const asked = text.startsWith('{') ? [{ line: text }] : [];
    const all = this.#packets.feed(bytes).map((p) => ({ command: p.data[0]! }));
    for (const a of [...asked, ...all]) {
      const answer = this.answer(a);
      if (answer === 'pulled') this.pull();
      else this.say(...answer);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    this.pull();
  }
}

const state = (n: number) => packetOf(1, [n]);
const failed = (n: number) => packetOf(2, [n]);
const result = (command: number, ...texts: string[]) => {
  const data = texts.flatMap((t) => [t.length, ...new TextEncoder().encode(t)]);
  return packetOf(4, [command, data.length, ...data]);
};
const refused = '{"ok":false,"error":"it is not there"}\n';

/** Our firmware, which joins a network with one password. */
const ours = (password = 'right') =>
  new Simulated(({ command, line }) => {
    if (command === 2) return ['I (20) boot\r\n', state(2)];
    if (command === 3) return [result(3, 'unhidra', '1.0.0', 'esp32c3', '')];
    if (command) return [failed(2)];
    if (line === '{}') return [refused];
    const told = JSON.parse(line!) as { password: string };
    return ['{"heap":1}\n', told.password === password ? '{"ok":true}\n' : refused];
  });

const why = async (what: Promise<unknown>): Promise<BoardFailure | undefined> => {
  const err = await what.then(
    () => undefined,
    (e: unknown) => e,
  );
  return err instanceof BoardError ? err.why : undefined;
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('our firmware is told all by one line', async () => {
  const line = ours();
  const board = new Board(line);
  expect(await board.meet()).toEqual({ firmware: 'unhidra', version: '1.0.0', chip: 'esp32c3', ours: true });
  expect(await board.scan()).toEqual([]);
  const setup = { ssid: 'Home', password: 'right', server: 'wss://a:443', claim: 'dc_x', ca: '' };
  expect(await why(board.handOver({ ...setup, password: 'wrong' }))).toBe('password');
  await board.handOver(setup);
  expect(line.told.at(-1)).toBe('{"ssid":"Home","password":"right","server":"wss://a:443","claim":"dc_x"}');
  expect(await why(board.handOver({ ...setup, ca: 'x'.repeat(5000) }))).toBe('long');
  await board.close();
  expect(line.closed).toBe(true);
});

test('other firmware is told the network by Improv, cut as the line cuts it', async () => {
  let right = false;
  const bytes = (...all: Uint8Array[]) => all.flatMap((p) => [...p].map((b) => Uint8Array.of(b)));
  const line = new Simulated(({ command }) => {
    if (command === 2) return bytes(state(4));
    if (command === 3) return bytes(failed(2));
    if (command === 4) {
      const seen = [['Far', '-80', 'YES'], ['Home', '-40', 'NO'], ['Home', '-60', 'NO'], []];
      return bytes(...seen.map((texts) => result(4, ...texts)));
    }
    const joined = [state(4), result(1, 'http://192.0.2.9/')];
    if (command === 1) return bytes(failed(0), state(3), ...(right ? joined : [failed(3), state(2)]));
    return ['what?\n'];
  });
  const board = new Board(line);
  const met = board.meet();
  await vi.advanceTimersByTimeAsync(2000);
  expect(await met).toEqual({ firmware: '', version: '', chip: '', ours: false });
  expect(await board.scan()).toEqual([
    { ssid: 'Home', rssi: -40, open: true },
    { ssid: 'Far', rssi: -80, open: false },
  ]);
  expect(await why(board.join('Home', 'wrong'))).toBe('password');
  right = true;
  expect(await board.join('Home', 'right')).toBe('http://192.0.2.9/');
});

test('a board that starts is waited for, and a line without one given up', async () => {
  let asked = 0;
  const slow = new Board(
    new Simulated(({ command }) => (command === 2 && ++asked < 4 ? [] : [state(2), refused, failed(2)])),
  );
  const met = slow.meet();
  await vi.advanceTimersByTimeAsync(3000);
  expect((await met).ours).toBe(true);
  const silent = why(new Board(new Simulated(() => ['rst:0x1\r\n'])).meet());
  await vi.advanceTimersByTimeAsync(12_000);
  expect(await silent).toBe('silent');
});

test('a cable that is pulled, an answer that does not come and a button are told apart', async () => {
  const pulled = new Board(
    new Simulated(({ line, command }) => (line ? 'pulled' : command ? [state(2), failed(2)] : [])),
  );
  expect(await why(pulled.meet())).toBe('gone');
  expect(await why(pulled.join('Home', ''))).toBe('gone');
  const late = why(new Board(new Simulated(() => [])).handOver({ ssid: 'Home' }));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await late).toBe('late');
  expect(await why(new Board(new Simulated(() => [state(1)])).meet())).toBe('button');
  expect(await why(new Board(new Simulated(() => [failed(255)])).join('Home', ''))).toBe('refused');
  const full = new Board(new Simulated(() => ['{"ok":false,"error":"the flash is full"}\r\n']));
  expect(await why(full.handOver({ ssid: 'Home' }))).toBe('refused');
});
