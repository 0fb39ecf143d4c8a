// Makes app images for ESP32 chips, as esptool's elf2image does: header, segments, checksum, hash.
import { createHash } from 'node:crypto';

const chips = { esp32: 0x0000, esp32c3: 0x0005, esp32s3: 0x0009 };

const text = (s, size) => Buffer.concat([Buffer.from(s), Buffer.alloc(size)], size);

/** An image of a project in a version. The chip is one of those above. */
export function espImage({ chip = 'esp32c3', project, version, size = 64 << 10, secure = 0 }) {
  const descriptor = Buffer.alloc(256);
  descriptor.writeUInt32LE(0xabcd5432, 0);
  descriptor.writeUInt32LE(secure, 4);
  text(version, 32).copy(descriptor, 16);
  text(project, 32).copy(descriptor, 48);
  text('12:00:00', 16).copy(descriptor, 80);
  text('Nov 28 2026', 16).copy(descriptor, 96);
  text('v5.5.1', 32).copy(descriptor, 112);
  createHash('sha256').update(`${project} ${version} elf`).digest().copy(descriptor, 144);
  descriptor.writeUInt16LE(199, 178);
  descriptor.writeUInt8(16, 180);
  const code = Buffer.alloc(size, `${project} ${version} `);
  const header = Buffer.alloc(24);
  header.set([0xe9, 2, 2, 0x20]);
  header.writeUInt32LE(0x40380000, 4);
  header[8] = 0xee;
  header.writeUInt16LE(chips[chip], 12);
  header.writeUInt16LE(199, 17);
  header[23] = 1;
  const parts = [header];
  let sum = 0xef;
  for (const [address, data] of [
    [0x3c000020, descriptor],
    [0x42000020, code],
  ]) {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(address, 0);
    head.writeUInt32LE(data.length, 4);
    parts.push(head, data);
    for (const b of data) sum ^= b;
  }
  const length = parts.reduce((n, p) => n + p.length, 0);
  const pad = Buffer.alloc(((length + 16) & ~15) - length);
  pad[pad.length - 1] = sum;
  const body = Buffer.concat([...parts, pad]);
  return Buffer.concat([body, createHash('sha256').update(body).digest()]);
}

/** A factory image for ESP32-C3: a bootloader, a partition table, and an app in a slot of 2 MB and a bit. */
export function factoryImage(app) {
  const table = [
    [1, 2, 0x9000, 0x6000, 'nvs'],
    [1, 0, 0xf000, 0x2000, 'otadata'],
    [0, 0x10, 0x20000, 0x200000 + 0x10000, 'ota_0'],
  ].map(([kind, subtype, at, size, label]) => {
    const entry = Buffer.alloc(32);
    entry.set([0xaa, 0x50, kind, subtype]);
    entry.writeUInt32LE(at, 4);
    entry.writeUInt32LE(size, 8);
    entry.write(label, 12);
    return entry;
  });
  const flash = Buffer.alloc(0x20000, 0xff);
  espImage({ project: 'bootloader', version: '1', size: 4096 }).copy(flash, 0);
  const entries = Buffer.concat(table);
  entries.copy(flash, 0x8000);
  const sum = createHash('md5').update(entries).digest();
  Buffer.concat([Buffer.from([0xeb, 0xeb]), Buffer.alloc(14, 0xff), sum]).copy(flash, 0x8000 + entries.length);
  return Buffer.concat([flash, app]);
}
