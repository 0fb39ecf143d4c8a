// A board on a serial line that waits to be set up: by Improv it is told a network, and by a line of JSON, if it has
// our firmware, its server and its claim token too.

import type { SerialLine } from '../../platform/serial';
import { commandOf, commands, kinds, PacketReader, textsOf, type Packet } from './improv';

/** What a board is told. The names are those of the line that firmware reads. */
export interface BoardSetup {
  ssid?: string;
  password?: string;
  server?: string;
  claim?: string;
  /** certificates in PEM of the authorities that it trusts; none: public ones */
  ca?: string;
}

/** What a board says of itself. */
export interface BoardInfo {
  /** name and version of its firmware, and chip; empty where it does not say */
  firmware: string;
  version: string;
  chip: string;
  /** it takes a line with a server and a claim token */
  ours: boolean;
}

/** A network that a board sees. */
export interface SeenNetwork {
  ssid: string;
  /** dBm */
  rssi: number;
  open: boolean;
}

/**
 * Why a board was not set up. silent: nothing answers; gone: the line ended; password: it could not join; button: it
 * asks for one to be pressed; late: no answer came; long: the setup is too long for it; refused: it says why.
 */
export type BoardFailure = 'silent' | 'gone' | 'password' | 'button' | 'late' | 'long' | 'refused';

export class BoardError extends Error {
  readonly why: BoardFailure;

  /** said: what the board itself said */
  constructor(why: BoardFailure, said = '') {
    super(said || why);
    this.why = why;
  }
}

const lineLimit = 4300; // bytes that our firmware takes in a line
const wakes = 12; // seconds: opening a line restarts many boards
const joins = 60_000; // our firmware gives up after 30 seconds

/** The line of JSON that firmware reads, as the command line writes it. */
export function lineOf(s: BoardSetup): string {
  const { ssid, password, server, claim, ca } = s;
  const json = JSON.stringify({
    ...(ssid && { ssid }),
    ...(password && { password }),
    ...(server && { server, claim }),
    ...(ca && { ca }),
  });
  return json.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Whether bytes of text are within a limit of a network's name or password. */
export const fits = (text: string, most: number): boolean => new TextEncoder().encode(text).length <= most;

type Heard = { packet: Packet } | { text: string };

export class Board {
  readonly #line: SerialLine;
  readonly #packets = new PacketReader();
  readonly #listeners = new Set<{ hear(h: Heard): void; end(): void }>();
  readonly #decoder = new TextDecoder();
  #text = '';
  #over = false;

  constructor(line: SerialLine) {
    this.#line = line;
    void this.#listen();
  }

  async close(): Promise<void> {
    this.#end();
    await this.#line.close();
  }

  /** Finds out what is on the line. */
  async meet(): Promise<BoardInfo> {
    let state: number | undefined;
    for (let i = 0; i < wakes && state === undefined; i++) {
      // The end of a line first: what came before is none of ours.
      state = await this.#ask(bytesOf('\n', commandOf(commands.state)), 1000, stateOf);
    }
    if (state === undefined) throw new BoardError('silent');
    if (state === 1) throw new BoardError('button');
    const [firmware = '', version = '', chip = ''] =
      (await this.#ask(commandOf(commands.device), 2000, (h) =>
        errorOf(h) ? [] : 'packet' in h ? textsOf(h.packet, commands.device) : undefined,
      )) ?? [];
    // A setup without anything is refused at once by what takes setups.
    const ours = (await this.#ask(bytesOf('{}\n'), 2000, answerOf)) !== undefined;
    return { firmware, version, chip, ours };
  }

  /** The networks that the board sees, the strongest first; none if it does not say. */
  async scan(): Promise<SeenNetwork[]> {
    const seen = new Map<string, SeenNetwork>();
    await this.#ask(commandOf(commands.scan), 10_000, (h) => {
      if (errorOf(h)) return true;
      const texts = 'packet' in h ? textsOf(h.packet, commands.scan) : undefined;
      if (texts && !texts.length) return true;
      const [ssid = '', rssi = '', secret = ''] = texts ?? [];
      const known = seen.get(ssid);
      if (ssid && !(known && known.rssi >= Number(rssi))) {
        seen.set(ssid, { ssid, rssi: Number(rssi), open: secret === 'NO' });
      }
      return undefined;
    });
    return [...seen.values()].sort((a, b) => b.rssi - a.rssi);
  }

  /** Tells the network by Improv, and returns the address that the board names for going on, or nothing. */
  async join(ssid: string, password: string): Promise<string> {
    const next = await this.#ask(commandOf(commands.join, ssid, password), joins, (h) => {
      const code = errorOf(h);
      if (code) throw new BoardError(code === 3 ? 'password' : code === 4 ? 'button' : 'refused', String(code));
      const texts = 'packet' in h ? textsOf(h.packet, commands.join) : undefined;
      return texts && (texts[0] ?? '');
    });
    if (next === undefined) throw new BoardError('late');
    return next;
  }

  /** Tells all by our line. The board has joined the network, if one is told, when this returns. */
  async handOver(setup: BoardSetup): Promise<void> {
    const line = lineOf(setup);
    if (!fits(line, lineLimit)) throw new BoardError('long');
    const answer = await this.#ask(bytesOf(`${line}\n`), joins, answerOf);
    if (!answer) throw new BoardError('late');
    if (answer.ok) return;
    const unjoined = setup.ssid && answer.error === 'it is not there';
    throw new BoardError(unjoined ? 'password' : 'refused', answer.error);
  }

  /** Sends something, and returns what take makes of what comes then; undefined: nothing of it within ms. */
  #ask<T>(bytes: Uint8Array, ms: number, take: (h: Heard) => T | undefined): Promise<T | undefined> {
    return new Promise((done, failed) => {
      const stop = () => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
      };
      const listener = {
        hear: (h: Heard) => {
          try {
            const taken = take(h);
            if (taken === undefined) return;
            stop();
            done(taken);
          } catch (err) {
            stop();
            failed(err as Error);
          }
        },
        end: () => {
          stop();
          failed(new BoardError('gone'));
        },
      };
      const timer = setTimeout(() => {
        stop();
        done(undefined);
      }, ms);
      if (this.#over) return listener.end();
      this.#listeners.add(listener);
      this.#line.write(bytes).catch(() => this.#end());
    });
  }

  async #listen(): Promise<void> {
    for (;;) {
      const bytes = await this.#line.read().catch(() => undefined);
      if (!bytes) break;
      for (const packet of this.#packets.feed(bytes)) this.#tell({ packet });
      const lines = (this.#text + this.#decoder.decode(bytes, { stream: true })).split('\n');
      this.#text = lines.pop()!.slice(-lineLimit); // of what never ends
      for (const text of lines) this.#tell({ text });
    }
    this.#end();
  }

  #tell(h: Heard): void {
    for (const l of [...this.#listeners]) l.hear(h);
  }

  #end(): void {
    this.#over = true;
    for (const l of [...this.#listeners]) l.end();
  }
}

function bytesOf(text: string, more: Uint8Array = new Uint8Array()): Uint8Array {
  return Uint8Array.from([...new TextEncoder().encode(text), ...more]);
}

/** The code of an error that a board tells by Improv; nothing if it is none, or something else. */
const errorOf = (h: Heard): number | undefined =>
  'packet' in h && h.packet.kind === kinds.error ? h.packet.data[0] || undefined : undefined;

const stateOf = (h: Heard): number | undefined =>
  'packet' in h && h.packet.kind === kinds.state ? h.packet.data[0] : undefined;

/** The answer to a line of JSON, among what the board logs. */
function answerOf(h: Heard): { ok: boolean; error: string } | undefined {
  const text = 'text' in h ? h.text.trim() : '';
  if (!text.startsWith('{')) return undefined;
  try {
    const { ok, error } = JSON.parse(text) as { ok?: unknown; error?: unknown };
    return typeof ok === 'boolean' ? { ok, error: typeof error === 'string' ? error : '' } : undefined;
  } catch {
    return undefined;
  }
}
