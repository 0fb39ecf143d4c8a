import { expect, test, vi } from 'vitest';
import { failureOf } from '../view/failure';
import { makePasskey, showPasskey, type Ceremony } from './passkey';

const asked: Ceremony = {
  ticket: 't',
  options: { publicKey: { challenge: 'AAAA' } },
  origins: ['https://chat.example.org', 'https://www.chat.example.org'],
};

test('under a second address of the server people are told the right one, and no browser is asked', async () => {
  const browser = vi.fn();
  vi.stubGlobal('navigator', { credentials: { create: browser, get: browser } });
  for (const use of [makePasskey, showPasskey]) {
    const err: unknown = await use(asked, 'https://chat.example.net').catch((e: unknown) => e);
    expect(failureOf(err).text).toContain('Open https://chat.example.org ');
  }
  expect(browser).not.toHaveBeenCalled();
  browser.mockRejectedValue(new DOMException('closed', 'NotAllowedError'));
  await expect(showPasskey(asked, 'https://www.chat.example.org')).rejects.toThrow('closed');
  expect(browser).toHaveBeenCalledOnce();
  vi.unstubAllGlobals();
});
