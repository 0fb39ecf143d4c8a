import { expect, test } from 'vitest';
import golden from '../../../../internal/provision/testdata/serial.json';
import { lineOf } from './board';
import { commandOf, packetOf, PacketReader, textsOf } from './improv';

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'));
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test.each(golden.commands)('command $command with $texts is that of the command line', (c) => {
  expect(hexOf(commandOf(c.command, ...c.texts))).toBe(c.bytes);
});

test.each(golden.streams)('$name', (s) => {
  const reader = new PacketReader();
  const found = s.chunks.flatMap((c) => reader.feed(bytesOf(c)));
  expect(found.map((p) => ({ kind: p.kind, data: hexOf(p.data) }))).toEqual(s.packets);
});

test.each(golden.lines)('the line of $setup.ssid is that of the command line', ({ setup, line }) => {
  expect(lineOf(setup)).toBe(line);
});

test('texts of an answer are read, and none of a broken one', () => {
  const answer = (...data: number[]) => ({ kind: 4, data: Uint8Array.from(data) });
  expect(textsOf(answer(3, 4, 1, 65, 1, 66), 3)).toEqual(['A', 'B']);
  expect(textsOf(answer(4, 0), 4)).toEqual([]);
  for (const bad of [answer(3, 4, 1, 65), answer(3, 2, 9, 65), answer(4, 0), answer(), { ...answer(3, 0), kind: 1 }]) {
    expect(textsOf(bad, 3)).toBeUndefined();
  }
});

test('whatever stands before a packet, it is found', () => {
  let seed = 7;
  const next = (n: number) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
  const good = packetOf(1, [2]);
  for (let round = 0; round < 200; round++) {
    const noise = Array.from({ length: next(40) }, () => (next(3) ? good[next(good.length)]! : next(256)));
    const reader = new PacketReader();
    reader.feed(Uint8Array.from(noise));
    let found = 0;
    for (let i = 0; i < 60; i++) found += reader.feed(good).filter((p) => p.kind === 1 && p.data[0] === 2).length;
    expect(found, String(noise)).toBeGreaterThan(0);
  }
});
