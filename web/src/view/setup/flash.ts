// Writes a factory image to a board by a serial line, with Espressif's esptool-js, and has the chip itself say what is
// in its flash then. It is loaded when somebody installs something.

import { ESPLoader, Transport } from 'esptool-js';
import type { SerialPort } from '../../platform/serial';
import type { FactoryImage, FlashPart, Release } from '../firmwareport';

/**
 * Why nothing was installed. taken: another program has the line; silent: nothing comes from it; boot: something comes,
 * but the chip's bootloader does not answer; gone: the line ended; unknown: a chip that is not known; locked: its flash
 * is encrypted, or its bootloader restricted; erase, write: the chip refuses that; verify: something else is in flash
 * than was written.
 */
export type InstallFailure =
  | 'taken'
  | 'silent'
  | 'boot'
  | 'gone'
  | 'unknown'
  | 'locked'
  | 'erase'
  | 'write'
  | 'verify';

export class InstallError extends Error {
  readonly why: InstallFailure;

  constructor(why: InstallFailure, cause?: unknown) {
    super(why, { cause });
    this.why = why;
  }
}

/** The chip of a board. */
export interface FoundChip {
  /** as ESP-IDF names it */
  name: string;
  /** as its maker writes it */
  title: string;
  /** major * 100 + minor; undefined: it is not known */
  revision: number | undefined;
  /** bytes; 0: it is not known */
  flash: number;
}

/** What a board does at the moment; done of all bytes are written. */
export type Progress = { step: 'erasing' | 'verifying' } | { step: 'writing'; done: number; all: number };

// Boards whose reset hangs on the lines of the port restart when it is opened anew, as another speed would need.
const bauds = 115_200;

/** A line of esptool-js that says when it has ended, and whether anything ever came. */
class Line extends Transport {
  heard = false;
  /** it fails as soon as the line has ended */
  readonly lost: Promise<never>;
  #lose!: (err: Error) => void;

  constructor(port: SerialPort) {
    super(port as ConstructorParameters<typeof Transport>[0]);
    this.lost = new Promise((_, failed) => (this.#lose = failed));
    this.lost.catch(() => {}); // nobody may be waiting
  }

  override trace(): void {}

  override flushInput(): void {
    this.heard ||= this.inWaiting() > 0;
    super.flushInput();
  }

  override async readLoop(): Promise<void> {
    await super.readLoop();
    this.#lose(new InstallError('gone'));
  }
}

/** A board whose chip waits in its bootloader. */
export class Flasher {
  readonly #line: Line;
  readonly #loader: ESPLoader;
  #untouched = false; // it waits in its bootloader, and has in flash what it had
  chip: FoundChip = { name: '', title: '', revision: undefined, flash: 0 };

  private constructor(port: SerialPort) {
    this.#line = new Line(port);
    const terminal = { clean() {}, write() {}, writeLine() {} };
    this.#loader = new ESPLoader({ transport: this.#line, baudrate: bauds, romBaudrate: bauds, terminal });
  }

  /** Opens a line, restarts the chip into its bootloader, and finds out what it is. */
  static async open(port: SerialPort): Promise<Flasher> {
    const f = new Flasher(port);
    try {
      await f.#meet();
      return f;
    } catch (err) {
      await f.close();
      throw err;
    }
  }

  async #meet(): Promise<void> {
    const loader = this.#loader;
    const described = await this.#do('unknown', async () => {
      try {
        return await loader.main('default_reset');
      } catch (err) {
        if (err instanceof DOMException) throw new InstallError('taken', err);
        if (/Failed to connect/u.test(String(err))) throw new InstallError(this.#line.heard ? 'boot' : 'silent', err);
        this.#untouched = true;
        throw err;
      }
    });
    this.#untouched = true;
    if (loader.secureDownloadMode) throw new InstallError('locked');
    const secure = await loader.getSecurityInfo().catch(() => undefined); // an ESP32 has no such command
    const read = (at: number) => this.#do('unknown', () => loader.readReg(at));
    const count = secure?.flashCryptCnt ?? (await cryptCount(loader.chip.CHIP_NAME, read));
    if (odd(count)) throw new InstallError('locked');
    const [, major, minor] = /revision v(\d+)\.(\d+)/u.exec(described) ?? [];
    const size = await this.#do('unknown', () => loader.detectFlashSize());
    this.chip = {
      name: loader.chip.CHIP_NAME.toLowerCase().replaceAll('-', ''),
      title: loader.chip.CHIP_NAME,
      revision: major === undefined ? undefined : Number(major) * 100 + Number(minor),
      flash: size ? loader.flashSizeBytes(size as Parameters<ESPLoader['flashSizeBytes']>[0]) : 0,
    };
  }

  /** Writes the parts of a file, and returns when the chip has said of each that it is in flash. */
  async write(file: Uint8Array, parts: readonly FlashPart[], erase: boolean, tell: (p: Progress) => void) {
    const loader = this.#loader;
    this.#untouched = false;
    if (erase) {
      tell({ step: 'erasing' });
      await this.#do('erase', () => loader.eraseFlash());
    }
    const all = parts.reduce((n, p) => n + p.size, 0);
    let before = 0;
    for (const p of parts) {
      const data = new Uint8Array(p.size).fill(0xff);
      data.set(file.subarray(p.offset, p.offset + p.size));
      tell({ step: 'writing', done: before, all });
      const packed = await pack(data);
      // A block may hold much, and the chip answers when it has written the one before.
      const patience = loader.timeoutPerMb(loader.ERASE_WRITE_TIMEOUT_PER_MB, p.size);
      await this.#do('write', () => loader.flashDeflBegin(p.size, packed.length, p.offset));
      for (let seq = 0, at = 0; at < packed.length; seq++) {
        const block = packed.slice(at, at + loader.FLASH_WRITE_SIZE);
        await this.#do('write', () => loader.flashDeflBlock(block, seq, patience));
        at += block.length;
        tell({ step: 'writing', done: before + (p.size * at) / packed.length, all });
      }
      if (loader.IS_STUB) await this.#do('write', () => loader.flashDeflFinish(false, patience));
      before += p.size;
    }
    tell({ step: 'verifying' });
    for (const p of parts) {
      const sum = await this.#do('verify', () => loader.flashMd5sum(p.offset, p.size));
      if (plain(sum) !== p.md5) throw new InstallError('verify');
    }
  }

  /** Restarts the board, so that what was written runs. */
  async restart(): Promise<void> {
    // As the lines are wired on boards: RTS holds the chip in reset, and DTR low lets it start from flash.
    await this.#do('gone', async () => {
      await this.#line.setDTR(false);
      await this.#line.setRTS(true);
      await new Promise((go) => setTimeout(go, 100));
      await this.#line.setRTS(false);
    });
  }

  /** Lets go of the line. A board on which nothing was written runs again what it had. */
  async close(): Promise<void> {
    const leave = async () => {
      if (this.#untouched) await this.restart().catch(() => {});
      this.#untouched = false;
      await this.#line.disconnect().catch(() => {});
    };
    // A cable that is out may leave a stream that nobody can close: then it is left alone.
    const gone = new Promise((go) => setTimeout(go, 2000));
    await Promise.race([leave(), gone]);
  }

  /** Does something with the board. It fails for why, unless the line ended or something better is known. */
  async #do<T>(why: InstallFailure, what: () => Promise<T>): Promise<T> {
    const work = what();
    work.catch(() => {}); // when the line has ended, nobody waits for it any more
    try {
      return await Promise.race([work, this.#line.lost]);
    } catch (err) {
      throw err instanceof InstallError ? err : new InstallError(why, err);
    }
  }
}

/** Packs bytes as chips unpack them. esptool-js does so too, and spends seconds on its progress. */
async function pack(data: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([data]).stream().pipeThrough(new CompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A chip's bootloader in ROM tells an MD5 as text, of which esptool-js makes hexadecimal digits once more. */
const plain = (sum: string): string =>
  sum.length === 64 ? sum.replaceAll(/../gu, (pair) => String.fromCharCode(parseInt(pair, 16))) : sum;

/** Where chips have the counter of flash encryption that may not tell of it otherwise. */
const counters: Record<string, { at: number; shift: number; mask: number }> = {
  ESP32: { at: 0x3ff5a000, shift: 20, mask: 0x7f },
  'ESP32-S2': { at: 0x3f41a034, shift: 18, mask: 0x7 },
};

/** Reads the counter of flash encryption from a chip's eFuses; 0: it is not known where the chip has it. */
export async function cryptCount(title: string, read: (at: number) => Promise<number>): Promise<number> {
  const c = counters[title];
  return c ? ((await read(c.at)) >>> c.shift) & c.mask : 0;
}

/** Flash is encrypted while an odd number of bits of that counter is set. */
export const odd = (count: number): boolean => [...count.toString(2)].filter((bit) => bit === '1').length % 2 === 1;

/** What of a release a board is to get, or why it gets none of it. */
export function choose(
  release: Pick<Release, 'images'>,
  chip: FoundChip,
): { factory: FactoryImage } | { why: 'chip' | 'revision' | 'none' | 'flash' } {
  const ofChip = release.images.filter((i) => i.chip === chip.name);
  if (!ofChip.length) return { why: 'chip' };
  const { revision } = chip;
  const fitting = ofChip.filter(
    (i) => revision === undefined || (i.revision_min <= revision && revision <= i.revision_max),
  );
  if (!fitting.length) return { why: 'revision' };
  const factory = fitting.find((i) => i.factory)?.factory;
  if (!factory) return { why: 'none' };
  return chip.flash && (factory.info.flash_size ?? 0) > chip.flash ? { why: 'flash' } : { factory };
}
