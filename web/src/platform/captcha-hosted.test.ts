import { afterEach, describe, expect, test, vi } from 'vitest';
import { HostedAnswers } from './captcha-hosted';

afterEach(() => vi.unstubAllGlobals());

const box = {} as HTMLElement;
const settle = () => new Promise((done) => setTimeout(done));

/** A provider as their documentation has it. */
function provider() {
  const p = {
    options: {} as Record<string, (v?: string) => void>,
    resets: 0,
    render: vi.fn((_box: unknown, o: Record<string, (v?: string) => void>) => {
      p.options = o;
      return 7;
    }),
    reset: (id: number) => {
      expect(id).toBe(7);
      p.resets++;
    },
    ready: (then: () => void) => then(),
    execute: vi.fn((key: string, o: { action: string }) => Promise.resolve(`${key}:${o.action}`)),
  };
  return p;
}

describe.each([
  ['turnstile', 'turnstile'],
  ['hcaptcha', 'hcaptcha'],
  ['recaptcha', 'grecaptcha'],
])('%s', (kind, name) => {
  const config = { kind, site_key: 'site', action: 'register', script: `https://${kind}.example/api.js` };

  test('waits for somebody, and asks anew for each answer', async () => {
    const p = provider();
    vi.stubGlobal(name, p);
    const load = vi.fn(() => Promise.resolve());
    const a = new HostedAnswers(config, box, load);
    await settle();
    expect(load).toHaveBeenCalledWith(config.script);
    expect(p.render.mock.calls[0]![1]).toMatchObject({ sitekey: 'site', action: 'register' });
    const first = a.take();
    p.options['callback']!('one');
    expect(await first).toBe('one');
    expect(p.resets).toBe(1);
    p.options['callback']!('two');
    p.options['expired-callback']!();
    const next = a.take();
    p.options['callback']!('three');
    expect(await next).toBe('three');
  });

  test('says so when its script does not come, or does not start', async () => {
    const blocked = new HostedAnswers(config, box, () => Promise.reject(new Error('blocked')));
    await expect(blocked.take()).rejects.toThrow('blocked');
    const empty = new HostedAnswers(config, box, () => Promise.resolve());
    await expect(empty.take()).rejects.toThrow('did not start');
  });
});

test('reCAPTCHA v3 shows nothing', async () => {
  const p = provider();
  vi.stubGlobal('grecaptcha', p);
  const a = new HostedAnswers(
    { kind: 'recaptcha3', site_key: 'site', action: 'reset', script: 'https://x.example/' },
    box,
    () => Promise.resolve(),
  );
  expect(await a.take()).toBe('site:reset');
  expect(p.render).not.toHaveBeenCalled();
});
