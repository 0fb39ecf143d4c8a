import { beforeAll, expect, test, vi } from 'vitest';
import { Refusal, Unreachable, type Api } from '../net/api';
import type { Me } from '../view/types';
import { Firmware } from './firmware';

const mega = 1 << 20;

/** A server that takes an upload from where it is, and no other way. */
function server(received: number, size: number, lose: (offset: number) => boolean) {
  const asked: string[] = [];
  const upload = { id: 'upl_1', received, size, kind: 'image', sha256: '' };
  const call = (method: string, path: string, body?: unknown): Promise<unknown> => {
    asked.push(`${method} ${path}`);
    if (method === 'GET') return Promise.resolve({ items: received ? [upload] : [] });
    if (body instanceof Blob) {
      const from = Number(path.split('/').at(-1));
      if (from !== upload.received) return Promise.reject(new Refusal(409, { code: 'upload_offset' }));
      upload.received += body.size;
      if (lose(from)) return Promise.reject(new Unreachable('')); // only the answer
    } else if (body) upload.sha256 = (body as { sha256: string }).sha256;
    return Promise.resolve({ ...upload });
  };
  return { asked, upload, api: { call } as unknown as Api<Me> };
}

beforeAll(() => void vi.stubGlobal('isSecureContext', true));

const file = new Blob([new Uint8Array(2 * mega + 5)]);

test('an image goes in order, and a part whose answer was lost is not sent twice', async () => {
  const lost: number[] = [];
  const s = server(0, file.size, (from) => from === mega && lost.push(from) === 1);
  const sent: number[] = [];
  const done = await new Firmware(s.api).upload('prd_1', 'image', file, (bytes) => sent.push(bytes));
  expect(done.received).toBe(file.size);
  expect(s.asked.filter((q) => q.startsWith('PUT')).map((q) => Number(q.split('/').at(-1)))).toEqual([
    0,
    mega,
    mega,
    2 * mega,
  ]);
  expect(sent.at(-1)).toBe(file.size);
});

test('what is there at another place than was sent is a refusal', async () => {
  const s = server(0, file.size, () => {
    s.upload.received++; // somebody else sends too
    return false;
  });
  await expect(new Firmware(s.api).upload('prd_1', 'image', file, () => {})).rejects.toMatchObject({
    code: 'upload_offset',
  });
});
