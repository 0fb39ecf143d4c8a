import { expect, test, vi } from 'vitest';
import type { Image } from '../firmwareport';
import { choose, cryptCount, Flasher, InstallError, odd, type FoundChip } from './flash';

const image = (chip: string, more: Partial<Image> = {}): Image => ({
  sha256: chip,
  size: 1,
  chip,
  revision_min: 0,
  revision_max: 65_535,
  secure_version: 0,
  has_elf: false,
  info: { format: 'esp', secure_version: 0 },
  deltas: [],
  url: '',
  ...more,
});
const factory = (flash_size: number) => ({
  factory: { sha256: 'f', size: 1, url: '', info: { format: 'factory' as const, secure_version: 0, flash_size } },
});
const c3: FoundChip = { name: 'esp32c3', title: 'ESP32-C3', revision: 3, flash: 4 << 20 };

test('a board gets the factory image for its chip and revision, and none that does not fit', () => {
  const good = image('esp32c3', factory(4 << 20));
  expect(choose({ images: [image('esp32'), good] }, c3)).toEqual({ factory: good.factory });
  expect(choose({ images: [image('esp32', factory(1))] }, c3)).toEqual({ why: 'chip' });
  expect(choose({ images: [image('esp32c3', { ...factory(1), revision_min: 4 })] }, c3)).toEqual({ why: 'revision' });
  expect(choose({ images: [image('esp32c3')] }, c3)).toEqual({ why: 'none' });
  expect(choose({ images: [image('esp32c3', factory(8 << 20))] }, c3)).toEqual({ why: 'flash' });
});

test('what a chip does not tell is no reason to refuse it', () => {
  const image8 = image('esp32c3', { ...factory(8 << 20), revision_min: 4 });
  const silent = { ...c3, revision: undefined, flash: 0 };
  expect(choose({ images: [image8] }, silent)).toEqual({ factory: image8.factory });
});

test.each([
  ['ESP32', 0x3ff5a000, 0xf80fffff, 0, false],
  ['ESP32', 0x3ff5a000, 1 << 20, 1, true],
  ['ESP32', 0x3ff5a000, 3 << 20, 3, false],
  ['ESP32', 0x3ff5a000, -1, 0x7f, true],
  ['ESP32-S2', 0x3f41a034, ~(7 << 18), 0, false],
  ['ESP32-S2', 0x3f41a034, 7 << 18, 7, true],
])('an %s whose word at %i is %i has the counter %i', async (title, at, word, count, encrypted) => {
  const read = vi.fn(async () => word);
  expect(await cryptCount(title, read)).toBe(count);
  expect(read).toHaveBeenCalledExactlyOnceWith(at);
  expect(odd(count)).toBe(encrypted);
});

test('nothing is read of a chip whose counter is elsewhere', async () => {
  const read = vi.fn(async () => -1);
  expect(await cryptCount('ESP32-C3', read)).toBe(0);
  expect(read).not.toHaveBeenCalled();
});

test('a line that another has is let go of, and its board not restarted', async () => {
  const setSignals = vi.fn(async () => {});
  const taken = async () => Promise.reject(new DOMException('', 'InvalidStateError'));
  const port = { readable: null, writable: null, open: taken, close: async () => {}, getInfo: () => ({}), setSignals };
  await expect(Flasher.open(port)).rejects.toEqual(new InstallError('taken'));
  expect(setSignals).not.toHaveBeenCalled();
});
