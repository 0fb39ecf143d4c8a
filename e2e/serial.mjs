// A board on a simulated serial line: in the page it takes the place of the browser's own Web Serial. It has our
// firmware's console, and, once it is set up, gets its key from the server and connects, as a board does.

import { createHash } from 'node:crypto';

/** What is changed while a test runs is in globalThis.board of the page: see below. */
export async function simulateSerial(page) {
  await page.exposeFunction('md5Of', (base64) => createHash('md5').update(base64, 'base64').digest('hex'));
  await page.addInitScript(() => {
    // taken: the line cannot be opened; foreign: it has other firmware; pull: the cable is out once it is told. Of its
    // bootloader: chip is what it has; pullAt: the cable is out at that block; rotten: its flash keeps something else
    const flash = new Uint8Array(4 << 20);
    const board = (globalThis.board = { password: 'right', told: [], chip: 5, flash, erased: 0 });
    const bytes = (text) => new TextEncoder().encode(text);
    const packet = (kind, data) => {
      const all = [...bytes('IMPROV'), 1, kind, data.length, ...data];
      return Uint8Array.from([...all, all.reduce((a, b) => (a + b) & 255, 0), 10]);
    };
    const result = (command, ...texts) => {
      const data = texts.flatMap((t) => [bytes(t).length, ...bytes(t)]);
      return packet(4, [command, data.length, ...data]);
    };

    board.online = online;
    async function online({ server, claim }) {
      const answer = await fetch(`${server.replace('ws', 'http')}/api/v1/device-claims`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ token: claim, nonce: '0123456789abcdef' }),
      });
      const { key } = await answer.json();
      if (!key) return;
      board.ws = new WebSocket(`${server}/ws`, ['device', key]);
      board.ws.onopen = () =>
        board.ws.send(JSON.stringify({ id: '1', type: 'describe', data: { capabilities: { model: 'Board' } } }));
    }

    function port() {
      let out;
      let heard = '';
      const say = (...all) => all.forEach((b) => out.enqueue(typeof b === 'string' ? bytes(b) : b));
      const pull = () => {
        const was = out;
        line.readable = line.writable = null;
        was.error(new DOMException('The device has been lost.', 'NetworkError'));
      };
      const take = (text) => {
        const setup = JSON.parse(text);
        if (!Object.keys(setup).length) return say('{"ok":false,"error":"it is not there"}\r\n');
        board.told.push(setup);
        if (board.pull) return pull();
        say('I (812) wifi: joining\r\n');
        if (setup.password !== board.password) return say('{"ok":false,"error":"it is not there"}\r\n');
        say('{"ok":true}\r\n');
        setTimeout(() => void online(setup), 100);
      };
      const join = (data) => {
        const text = String.fromCharCode(...data);
        board.told.push(text);
        say(packet(2, [0]), packet(1, [3]));
        if (text.endsWith(board.password)) say(packet(1, [4]), result(1, 'http://192.0.2.9/'));
        else say(packet(2, [3]), packet(1, [2]));
      };
      const hear = (chunk) => {
        heard += String.fromCharCode(...chunk);
        for (;;) {
          const at = heard.search(/IMPROV|\{/);
          if (at < 0) return;
          heard = heard.slice(at);
          if (heard[0] === '{') {
            const end = heard.indexOf('\n');
            if (end < 0) return;
            const text = new TextDecoder().decode(Uint8Array.from(heard.slice(0, end), (c) => c.charCodeAt(0)));
            heard = heard.slice(end + 1);
            if (!board.foreign) take(text);
            continue;
          }
          const length = heard.charCodeAt(8) + 10;
          if (!(heard.length >= length)) return;
          const data = [...heard.slice(9, length - 1)].map((c) => c.charCodeAt(0));
          heard = heard.slice(length);
          if (data[0] === 1) join(data.slice(2));
          else if (data[0] === 2) say('I (20) boot: IMPR', packet(1, [2]));
          else if (data[0] === 3) say(result(3, 'unhidra', '1.4.0', 'ESP32-C3', 'porch'));
          else say(result(4, 'Home', '-48', 'YES'), result(4, 'Neighbours', '-80', 'YES'), result(4));
        }
      };
      // The bootloader in ROM and the flasher that esptool loads into RAM, as Espressif documents their serial
      // protocol: packets between 0xc0, with a command's code, its length and a checksum in front.
      let rom = false;
      let sent = [];
      const registers = new Map();
      let writing = { at: 0, blocks: [] };
      const reply = (code, value, ...data) => {
        const all = [1, code, data.length + 2, 0, value, value >>> 8, value >>> 16, value >>> 24, ...data, 0, 0];
        frame(all);
      };
      const frame = (all) =>
        out.enqueue(Uint8Array.from([0xc0, ...all.flatMap((b) => slip[b & 255] ?? [b]), 0xc0]));
      const slip = { 0xc0: [0xdb, 0xdc], 0xdb: [0xdb, 0xdd] };
      const keep = async ({ at, blocks }) => {
        const stream = new Blob(blocks).stream().pipeThrough(new DecompressionStream('deflate'));
        board.flash.set(new Uint8Array(await new Response(stream).arrayBuffer()), at);
        if (board.rotten) board.flash[at + 9] ^= 1;
      };
      const base64 = (all) => {
        let text = '';
        for (let at = 0; at < all.length; at += 8192) text += String.fromCharCode(...all.subarray(at, at + 8192));
        return btoa(text);
      };
      const carryOut = async (p) => {
        const [code, body] = [p[1], Uint8Array.from(p.slice(8))];
        const view = new DataView(body.buffer);
        const word = (n) => view.getUint32(4 * n, true);
        if (code === 0x08) for (let n = 0; n < 8; n++) reply(code, 0x20120707);
        else if (code === 0x14) reply(code, 0, ...new Array(12).fill(0), board.chip, 0, 0, 0, 0, 0, 0, 0);
        else if (code === 0x0a) reply(code, registers.get(word(0)) ?? 0);
        else if (code === 0x09) {
          registers.set(word(0), word(1));
          // The command that reads the flash's id: 4 MB. It is done at once.
          if (word(0) === 0x60002000) registers.set(0x60002058, 0x1640ef).set(0x60002000, 0);
          reply(code, 0);
        } else if (code === 0x06) {
          reply(code, 0);
          frame([...bytes('OHAI')]);
        } else if (code === 0xd0) {
          board.erased++;
          board.flash.fill(0xff);
          reply(code, 0);
        } else if (code === 0x10) {
          writing = { at: word(3), blocks: [] };
          reply(code, 0);
        } else if (code === 0x11) {
          if (board.pullAt === writing.at) return pull();
          writing.blocks.push(body.subarray(16));
          reply(code, 0);
        } else if (code === 0x12) {
          await keep(writing);
          reply(code, 0);
        } else if (code === 0x13) {
          const sum = await globalThis.md5Of(base64(board.flash.subarray(word(0), word(0) + word(1))));
          reply(code, 0, ...sum.match(/../g).map((pair) => parseInt(pair, 16)));
        } else reply(code, 0);
      };
      const hearROM = async (chunk) => {
        for (const b of chunk) {
          if (b !== 0xc0) sent.push(b);
          else if (sent.length) {
            const text = sent.join().replaceAll('219,220', '192').replaceAll('219,221', '219');
            const whole = text.split(',').map(Number);
            sent = [];
            await carryOut(whole);
          }
        }
      };
      const signals = {};
      const line = {
        readable: null,
        writable: null,
        getInfo: () => ({}),
        async setSignals({ dataTerminalReady, requestToSend }) {
          const held = signals.rts;
          signals.dtr = dataTerminalReady ?? signals.dtr;
          signals.rts = requestToSend ?? signals.rts;
          if (held && !signals.rts) rom = signals.dtr; // it leaves reset, with the boot pin as it is
        },
        async open() {
          if (board.taken) throw new DOMException('Failed to open serial port.', 'NetworkError');
          line.readable = new ReadableStream({ start: (c) => void (out = c) });
          line.writable = new WritableStream({ write: (chunk) => (rom ? hearROM(chunk) : hear(chunk)) });
        },
        async close() {
          line.readable = line.writable = null;
        },
      };
      return line;
    }
    Object.defineProperty(navigator, 'serial', { value: { requestPort: async () => port() } });
  });
}

/**
 * A reader of QR codes in the place of the browser's own, which Chromium has on few systems. It finds a text in the
 * second picture that it looks at.
 */
export const simulateScanner = (page, text) =>
  page.addInitScript((rawValue) => {
    globalThis.BarcodeDetector = class {
      #looked = 0;
      async detect(video) {
        return this.#looked++ && video.videoWidth ? [{ rawValue: 'https://example.org' }, { rawValue }] : [];
      }
    };
  }, text);
