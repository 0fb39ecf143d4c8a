// The web client over TLS of the server's own: the page comes by HTTP/2, the
// WebSocket beside it by HTTP/1.1, cookies are Secure, and a new certificate
// disturbs nobody.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { composer, launch, line, signUp, visitor } from './people.mjs';
import { freePort } from './server.mjs';

const dir = mkdtempSync(join(tmpdir(), 'unhidra-https-'));
let server, browser, page, url, port;

function certificate(name) {
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '30',
      '-subj',
      `/CN=${name}`,
      '-addext',
      'subjectAltName=DNS:localhost',
      '-keyout',
      join(dir, `${name}.key`),
      '-out',
      join(dir, `${name}.crt`),
    ],
    { stdio: 'ignore' },
  );
}

/** The name in the certificate that new connections see. */
async function shown() {
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const name = socket.getPeerCertificate().subject.CN;
  socket.destroy();
  return name;
}

before(async () => {
  certificate('first');
  certificate('second');
  copyFileSync(join(dir, 'first.crt'), join(dir, 'cert.pem'));
  copyFileSync(join(dir, 'first.key'), join(dir, 'key.pem'));
  port = await freePort();
  url = `https://localhost:${port}`;
  server = spawn(new URL('../bin/unhidra', import.meta.url).pathname, ['serve'], {
    env: {
      ...process.env,
      UNHIDRA_DATA_DIR: join(dir, 'data'),
      UNHIDRA_BIND_ADDR: '127.0.0.1',
      GATEWAY_PORT: String(port),
      UNHIDRA_OPERATOR_ADDR: 'off',
      UNHIDRA_TLS_CERT: join(dir, 'cert.pem'),
      UNHIDRA_TLS_KEY: join(dir, 'key.pem'),
    },
  });
  let said = '';
  const link = await new Promise((done, failed) => {
    const take = (chunk) => {
      said += chunk;
      const found = /https:\S+\/setup#token=\S+\n/.exec(said)?.[0];
      if (found) done(found.trim());
    };
    server.stdout.on('data', take);
    server.stderr.on('data', take);
    server.once('exit', (code) => failed(new Error(`the server ended with ${code}: ${said}`)));
  });
  server.removeAllListeners('exit');
  browser = await launch();
  page = await visitor(browser, { ignoreHTTPSErrors: true });
  page.sockets = 0;
  page.on('websocket', () => page.sockets++);
  await page.goto(link);
  await signUp(page, 'ann', 'Ann Smith', 'Create administrator account');
  await page.getByRole('heading', { name: /^Welcome/ }).waitFor();
});

after(async () => {
  await browser?.close();
  server?.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

test('the page comes by HTTP/2 and the cookie is Secure', async () => {
  await page.goto(url);
  const protocol = await page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol);
  assert.equal(protocol, 'h2');
  const cookies = await page.context().cookies();
  assert.ok(cookies.length > 0 && cookies.every((c) => c.secure && c.httpOnly), JSON.stringify(cookies));
});

test('people talk over WSS, and a new certificate disturbs nobody', async () => {
  await page.getByRole('button', { name: 'Create room' }).first().click();
  await page.getByRole('dialog').getByLabel('Name').fill('Workshop');
  await page.getByRole('dialog').getByRole('button', { name: 'Create room' }).click();
  await composer(page).fill('over wss');
  await composer(page).press('Enter');
  await line(page, 'over wss').waitFor();
  await page.getByRole('log').getByText('Sending').first().waitFor({ state: 'detached' });
  const sockets = page.sockets;

  copyFileSync(join(dir, 'second.crt'), join(dir, 'cert.pem'));
  copyFileSync(join(dir, 'second.key'), join(dir, 'key.pem'));
  const late = Date.now() + 60_000;
  while ((await shown()) !== 'second') {
    assert.ok(Date.now() < late, 'the new certificate is not in use');
    await new Promise((again) => setTimeout(again, 200));
  }
  await composer(page).fill('still here');
  await composer(page).press('Enter');
  await line(page, 'still here').waitFor();
  await page.getByRole('log').getByText('Sending').first().waitFor({ state: 'detached' });
  assert.equal(page.sockets, sockets);
  assert.equal(page.broken, undefined);
});
