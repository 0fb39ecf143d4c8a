// An OpenID provider that others wrote, in a process of its own.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const source = new URL('../internal/oidc/realtest', import.meta.url).pathname;

export class Provider {
  #dir = mkdtempSync(join(tmpdir(), 'unhidra-oidc-'));
  #process;

  /** Starts it, for a server at url; returns what that server must be told. */
  async start(url) {
    const bin = join(this.#dir, 'provider');
    execFileSync('go', ['build', '-o', bin, './cmd/provider'], { cwd: source, stdio: 'inherit' });
    this.#process = spawn(bin, ['-redirect', `${url}/signed-in`], { stdio: ['ignore', 'inherit', 'pipe'] });
    const issuer = await new Promise((done, failed) => {
      let said = '';
      this.#process.stderr.on('data', (chunk) => {
        said += chunk;
        const found = /issuer (\S+)/.exec(said);
        if (found) done(found[1]);
      });
      this.#process.once('exit', (code) => failed(new Error(`the provider ended with ${code}: ${said}`)));
    });
    return {
      UNHIDRA_OIDC_ISSUER: issuer,
      UNHIDRA_OIDC_CLIENT_ID: 'unhidra',
      UNHIDRA_OIDC_CLIENT_SECRET: 'a secret of the client',
      UNHIDRA_OIDC_LABEL: 'Example',
    };
  }

  close() {
    this.#process?.removeAllListeners('exit');
    this.#process?.kill();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
