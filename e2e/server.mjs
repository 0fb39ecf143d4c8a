// Starts the built server for the browser tests, and kills it when they ask.
import { execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';

const bin = new URL('../bin/unhidra', import.meta.url).pathname;

/**
 * A port that nobody uses just now. It is from below those that systems give to
 * outgoing connections, so that it is still free when a server comes back to it.
 */
export async function freePort() {
  for (;;) {
    const port = randomInt(12_000, 32_000);
    const s = createServer().listen(port, '127.0.0.1');
    try {
      await once(s, 'listening');
    } catch {
      continue; // somebody has it
    }
    s.close();
    return port;
  }
}

export class Server {
  #dir = mkdtempSync(join(tmpdir(), 'unhidra-e2e-'));
  #process;
  #said = '';
  #settings;

  /** @param settings more of the environment that it reads */
  constructor(settings = {}) {
    this.#settings = settings;
  }

  /** Takes a port, for whoever must know the address before the start. */
  async reserve() {
    this.port ??= await freePort();
    return (this.url = `http://localhost:${this.port}`);
  }

  /** Reads more of the environment at the next start. */
  set(settings) {
    this.#settings = { ...this.#settings, ...settings };
  }

  /** Starts the server and waits until it says that it is ready. */
  async start() {
    await this.reserve();
    this.#said = '';
    this.#process = spawn(bin, ['serve'], { env: this.#env });
    const says = `is on ${this.#settings.UNHIDRA_PUBLIC_URL ?? this.url}`;
    const ready = new Promise((done, failed) => {
      const take = (chunk) => {
        this.#said += chunk;
        if (this.#said.includes(says)) done();
      };
      this.#process.stdout.on('data', take);
      this.#process.stderr.on('data', take);
      this.#process.once('exit', (code) => failed(new Error(`the server ended with ${code}: ${this.#said}`)));
    });
    await ready;
  }

  get #env() {
    return {
      ...process.env,
      UNHIDRA_DATA_DIR: this.#dir,
      UNHIDRA_BIND_ADDR: '127.0.0.1',
      GATEWAY_PORT: String(this.port),
      UNHIDRA_OPERATOR_ADDR: 'off',
      UNHIDRA_ROOM_REQUESTS: 'nobody',
      RATE_LIMIT_REGISTER_PER_HOUR: '1000',
      RATE_LIMIT_IP_PER_MINUTE: '10000',
      RATE_LIMIT_USER_PER_MINUTE: '10000',
      ...this.#settings,
    };
  }

  /** Runs another command beside the server, and returns what it writes. */
  command(...args) {
    return execFileSync(bin, args, { env: this.#env, encoding: 'utf8' });
  }

  /** Starts another command beside the server, which the caller ends. */
  spawn(args, options = {}) {
    return spawn(bin, args, { env: this.#env, stdio: 'ignore', ...options });
  }

  /** The link for the first administrator. */
  get setupLink() {
    return /http:\S+\/setup#token=\S+/.exec(this.#said)?.[0];
  }

  /** Ends the server at once, as a power cut would. */
  async kill() {
    await this.#end('SIGKILL');
  }

  /** Asks the server to end in order, and returns its exit code once it has. */
  async stop() {
    const [code] = await this.#end('SIGTERM');
    return code;
  }

  #end(signal) {
    this.#process.removeAllListeners('exit');
    const gone = once(this.#process, 'exit');
    this.#process.kill(signal);
    return gone;
  }

  /** Fills a room with messages while the server is down. */
  seed(room, user, n) {
    const args = [
      'run',
      './e2e/seed',
      '-db',
      join(this.#dir, 'unhidra.db'),
      '-room',
      room,
      '-user',
      user,
      '-n',
      String(n),
    ];
    execFileSync('go', args, { cwd: new URL('..', import.meta.url).pathname, stdio: 'inherit' });
  }

  async close() {
    if (this.#process?.exitCode === null && this.#process.signalCode === null) await this.kill();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
