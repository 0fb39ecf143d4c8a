import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { configOf, programs } from './configs';

const documented = readFileSync(resolve(import.meta.dirname, '../../../../docs/mqtt.md'), 'utf8');

test('examples publish to topics that the server takes readings from', () => {
  const place = { device: { id: 'dev_1', name: 'Pump' }, key: 'dk_1', host: 'h', origin: 'https://h' };
  const topics = programs.flatMap((p) => configOf(p.id, place).match(/uh\/d\/dev_1\/[^"]+/g) ?? []);
  expect(topics).toHaveLength(2);
  for (const topic of topics) {
    expect(documented).toContain(`| \`${topic.replace('dev_1', 'DEVICE')}\` | the device | readings`);
  }
});
